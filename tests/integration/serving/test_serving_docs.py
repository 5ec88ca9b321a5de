"""The commands of docs/serving.md are run, and what it says of variables, metrics and queries is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ct_serving.keys import hash_of
from ct_serving.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "unit" / "model"), str(ROOT / "local")]

from apps import served, train_model  # noqa: E402
from postgres import free_port  # noqa: E402

pytestmark = pytest.mark.integration

TEXT = (ROOT / "docs" / "serving.md").read_text()
LOAD = (ROOT / "docs" / "load-test.md").read_text()
KEY = "ct_of the tests"


def test_every_command_does_what_it_says(tmp_path, tmp_path_factory, serving_url):
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "$API" in block]
    assert len(blocks) >= 6
    predictor, _ = train_model(tmp_path_factory.mktemp("trained"), 600)
    keys = f"docs:{hash_of(KEY.encode()).decode()}"
    settings = Settings(database_url=serving_url, spool_directory=tmp_path, flush_seconds=0.01, api_keys=keys)
    with served(settings, predictor, free_port()) as address:
        for block in blocks:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block], env={**os.environ, "API": address, "KEY": KEY, "NO_PROXY": "*"},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, block + done.stdout + done.stderr
            assert '"request_id"' in done.stdout or '"reigns"' in done.stdout, done.stdout


def test_the_variables_are_those_that_are_read():
    source = (ROOT / "serving" / "ct_serving" / "settings.py").read_text()
    named = set(re.findall(r"`(CT_[A-Z_]+)`", TEXT)) - {"CT_SERVING_KEY"}
    assert named <= set(re.findall(r'"(CT_[A-Z_]+)"', source))


def test_the_metrics_are_those_that_there_are():
    from ct_serving.metrics import Metrics
    from prometheus_client import generate_latest

    there = generate_latest(Metrics().registry).decode()
    named = set(re.findall(r"\b((?:ct|http)_[a-z_]*(?:total|seconds|bucket|size|rows|info|error))\b", TEXT + LOAD))
    assert len(named) >= 12
    for name in named - {"ct_serving"}:
        assert f"# TYPE {name.removesuffix('_bucket').removesuffix('_total')}" in there, name
