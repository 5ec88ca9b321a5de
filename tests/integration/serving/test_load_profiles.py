"""Each Locust profile, headless for a few seconds, against the running application."""

from __future__ import annotations

import json
import os
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

KEY = "ct_of the tests"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return train_model(tmp_path_factory.mktemp("trained"), 600)[0]


@pytest.mark.parametrize(
    ("profile", "lines"),
    [("steady", {"one"}), ("burst", {"one"}), ("malformed", {"right", "wrong field"})],
)
def test_a_profile_runs_and_nothing_fails(profile, lines, tmp_path, serving_url, predictor):
    settings = Settings(
        database_url=serving_url,
        spool_directory=tmp_path,
        api_keys=f"locust:{hash_of(KEY.encode()).decode()}",
        rate_per_second=0,
    )
    with served(settings, predictor, free_port()) as address:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "--locustfile", str(ROOT / "tests" / "load" / f"{profile}.py"), "--headless",
             "--users", "8", "--spawn-rate", "10", "--run-time", "6s", "--host", address, "--json", "--only-summary"],
            env={**os.environ, "CT_API_KEY": KEY, "CT_LOAD_USERS": "8", "CT_LOAD_CALM": "1", "CT_LOAD_BURST": "2"},
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line["name"]: (line["num_requests"], line["num_failures"]) for line in json.loads(done.stdout)}
    assert set(counts) >= lines
    assert sum(requests for requests, _ in counts.values()) >= 10
    assert all(failures == 0 for _, failures in counts.values()), done.stderr
