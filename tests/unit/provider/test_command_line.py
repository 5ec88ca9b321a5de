"""``continuous-training task run``: the same runner as Airflow's, without Airflow."""

import json
import os
import subprocess
import sys

import pytest
from ct_contract import TaskInput

pytestmark = pytest.mark.unit

STEP = """
import sys
from ct_contract import BadDataError, TaskResult, run_task
import logging

def step(payload):
    logging.getLogger().warning("looking at %s", payload.inputs["batch_id"])
    if payload.inputs["batch_id"] == 13:
        raise BadDataError("SKIP_INVALID_BATCH", "A bad batch.")
    return TaskResult(task="validate", run_id=payload.run_id, code="BATCH_ACCEPTED", summary=payload.inputs)

raise SystemExit(run_task("validate", step))
"""


@pytest.fixture
def command(tmp_path):
    import ct_contract

    python = tmp_path / "validate" / "bin" / "python"
    python.parent.mkdir(parents=True)
    contract = os.path.dirname(os.path.dirname(ct_contract.__file__))  # noqa: PTH120
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}:{contract} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "ct_validate.py").write_text(STEP)
    # A module named airflow that cannot be imported: the command line must not try.
    (tmp_path / "poison" / "airflow").mkdir(parents=True)
    (tmp_path / "poison" / "airflow" / "__init__.py").write_text("raise RuntimeError('Airflow was imported')")

    def run(batch_id, *arguments, task="validate", **variables):
        payload = TaskInput(task="validate", dag_id="d", run_id="r", inputs={"batch_id": batch_id})
        environ = {**os.environ, "PYTHONPATH": str(tmp_path / "poison"), "CT_DATABASE_URL": "postgresql://x", **variables}
        program = "from continuous_training.cli import main; raise SystemExit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, "task", "run", task, "--input", "-", "--environments", str(tmp_path), *arguments],
            input=payload.to_json(), capture_output=True, text=True, env=environ, check=False,
        )  # fmt: skip

    return run


def test_the_result_is_printed_and_the_log_is_not_mixed_in(command):
    done = command(3)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["code"] == "BATCH_ACCEPTED"
    assert "WARNING: looking at 3" in done.stderr


def test_the_tasks_exit_status_is_the_commands(command):
    done = command(13)
    assert done.returncode == 65
    assert json.loads(done.stdout)["code"] == "SKIP_INVALID_BATCH"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "clean"}, "the input is for validate, not for clean"),
        ({"CT_DATABASE_URL": ""}, "needs the secret CT_DATABASE_URL"),
    ],
)
def test_what_cannot_start_is_explained(command, options, words):
    done = command(3, **options)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
