"""``continuous-training policy compare`` and ``lineage``: what is asked, where, and what the exit status means."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def command(tmp_path):
    """The command line with an environment whose program tells what it was asked and ends as it is told."""
    python = tmp_path / "evaluate" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >&2\nprintf "%s" "$CT_INPUT"\nexit $CT_STATUS\n')
    python.chmod(0o755)

    def run(*words, status=0, **variables):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CT_")}
        environ |= {"CT_DATABASE_URL": "postgresql://x", "CT_STATUS": str(status), **variables}
        program = "from continuous_training.cli import main; raise SystemExit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *words, "--environments", str(tmp_path)],
            env=environ, capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip

    return run


def asked(done):
    return json.loads(done.stdout)["inputs"]


def test_a_policy_of_ones_own_travels_as_its_text(command, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    done = command("policy", "compare", "mine.yaml", "--with", "strict", "--language", "es")
    assert done.stderr.strip() == "-m ct_records"
    assert asked(done) == {
        "question": "compare", "language": "es", "json": False, "base": {"name": "strict"},
        "other": {"source": "mine.yaml", "text": "name: mine\n"},
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "key"), [("version", "3"), ("batch", "5")])
def test_lineage_is_asked_of_a_version_or_a_batch(command, kind, key):
    done = command("lineage", kind, key, "--json")
    assert asked(done) == {"question": "lineage", "of": kind, "key": key, "language": "en", "json": True}


@pytest.mark.parametrize(("status", "ours"), [(0, 0), (10, 1), (2, 2), (1, 2), (137, 2)])
def test_only_a_comparison_that_says_so_has_found_differences(command, status, ours):
    """A program that could not start or was killed has answered nothing."""
    assert command("policy", "compare", "strict", status=status).returncode == ours


@pytest.mark.parametrize(
    ("words", "variables", "told"),
    [
        (("policy", "compare", "absent.yaml"), {}, "there is no file absent.yaml"),
        (("policy", "compare", "strict"), {"CT_DATABASE_URL": ""}, "needs the secret CT_DATABASE_URL"),
        (("policy", "compare"), {}, "the following arguments are required: POLICY"),
        (("lineage", "model", "3"), {}, "invalid choice: 'model'"),
    ],
)
def test_what_cannot_be_asked_is_explained(command, words, variables, told):
    done = command(*words, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_the_help_explains_it_and_the_documentation_names_it(command):
    told = " ".join(command("policy", "compare", "--help").stdout.split())
    assert "Exit status: 0 no difference; 1 differences; 2 no comparison" in told
    assert "continuous-training policy compare" in (DOCS / "policies.md").read_text()
    assert "continuous-training lineage version" in (DOCS / "lineage.md").read_text()
