"""``continuous-training task show`` and ``task run`` against a real Airflow: kept calls, REST API, real programs."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from continuous_training.provider_info import STEPS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

STEP = """
import json
import os
from pathlib import Path

from ct_contract import BadDataError, TaskResult, run_task

NAME = Path(__file__).parent.name.removeprefix("ct_")
SHOWN = ("CT_DATABASE_NAME", "CT_MODEL_NAME", "CT_EXPERIMENT", "CT_DATABASE_URL", "CT_ADMIN_DATABASE_URL")


def step(payload):
    told = {"task": NAME, "inputs": payload.inputs, "env": {name: os.environ[name] for name in SHOWN if name in os.environ}}
    with (Path(__file__).parents[2] / "tries" / "log").open("a") as file:
        file.write(json.dumps(told) + "\\n")
    if NAME == "scratch":
        name = payload.inputs["name"]
        env = {"CT_DATABASE_NAME": f"scratch_{name}", "CT_MODEL_NAME": f"m-{name}", "CT_EXPERIMENT": f"e-{name}"}
        return TaskResult(task=NAME, run_id=payload.run_id, code="SCRATCH", summary={"env": env})
    if NAME == "validate":
        raise BadDataError("SKIP_INVALID_BATCH", "All prices are missing.")
    return TaskResult(task=NAME, run_id=payload.run_id, code="DONE", summary={"batch_id": 41})


raise SystemExit(run_task(NAME, step))
"""

PROGRAM = """
from datetime import datetime, timezone
from continuous_training.example_dags.continuous_training import dag

for task in dag.tasks:
    task.retries = 0
print(dag.test(logical_date=datetime(2026, 1, 1, tzinfo=timezone.utc), run_conf={}).run_id)
"""

RUN = "RUN"
"""Stands for the run's id, which Airflow chooses."""


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for(address, server):
    deadline = time.monotonic() + 180
    while True:
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5).close()
        except OSError:
            assert server.poll() is None, "the API server ended"
            assert time.monotonic() < deadline, "the API server was not healthy within 180 s"
            time.sleep(0.5)
        else:
            return


@dataclass
class Started:
    home: Path
    url: str
    run_id: str


@pytest.fixture(scope="module")
def airflow(airflow_home, python):
    """A run whose validate failed, and Airflow's API server."""
    home, env = airflow_home(
        STEP,
        (*STEPS, "scratch"),
        CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin,guest:viewer",
    )
    (home / "passwords.json").write_text(json.dumps({"admin": "right", "guest": "right"}))
    env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(home / "passwords.json")
    python("-m", "airflow", "db", "migrate", env=env)
    run_id = python("-c", PROGRAM, env=env).split()[-1]
    port = free_port()
    command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (home / "api.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/v2/monitor/health", server)
        yield Started(home, f"http://127.0.0.1:{port}", run_id)
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def command(airflow):
    home = airflow.home
    (home / "tries" / "log").unlink(missing_ok=True)

    def run(*arguments, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_"))}
        login = {"CT_AIRFLOW_URL": airflow.url, "CT_AIRFLOW_USERNAME": "admin", "CT_AIRFLOW_PASSWORD": "right", "NO_PROXY": "*"}
        secrets = {"CT_DATABASE_URL": "postgresql://real", "CT_ADMIN_DATABASE_URL": "postgresql://admin"}
        program = "from continuous_training.cli import main; raise SystemExit(main())"
        done = subprocess.run(
            [sys.executable, "-c", program, "task", *(airflow.run_id if word == RUN else word for word in arguments)],
            env=kept | login | secrets | variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        log = home / "tries" / "log"
        done.steps = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return done

    return run


def test_show_tells_the_call_and_the_commands(command, airflow):
    done = command("show", RUN, "validate")
    assert done.returncode == 0, done.stderr
    for words in (
        f"validate of {airflow.run_id} in continuous_training, try 1: the step validate",
        "image      continuous-training/validate:0.1.0",
        "batch_id  41",
        "CT_DATABASE_URL  url in continuous-training-database",
        f"continuous-training task run {airflow.run_id} validate --runner kubernetes",
        "docker run --rm --read-only",
    ):
        assert words in done.stdout
    assert "geheim" not in done.stdout


def test_show_as_json_is_the_raw_call(command):
    call = json.loads(command("show", RUN, "validate", "--json").stdout)
    assert (call["task_id"], call["places"]["runner"], call["call"]["payload"]["inputs"]) == (
        "validate",
        "process",
        {"batch_id": 41},
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ((RUN, "validate", "--dag-id", "other"), {}, "has no DAG 'other': name yours with --dag-id"),
        (("manual__none", "validate"), {}, "has no run 'manual__none'"),
        ((RUN, "polish"), {}, "has no task 'polish'"),
        ((RUN, "train"), {}, "train of .* has kept no call: its state is upstream_failed"),
        ((RUN, "validate"), {"CT_AIRFLOW_PASSWORD": "wrong"}, "refused the login of 'admin'"),
        ((RUN, "validate"), {"CT_AIRFLOW_USERNAME": ""}, "refused access without a login"),
        ((RUN, "validate"), {"CT_AIRFLOW_TOKEN": "stale"}, "refused access"),
        ((RUN, "validate"), {"CT_AIRFLOW_URL": "http://127.0.0.1:9"}, "Airflow does not answer at http://127.0.0.1:9"),
        ((RUN, "validate"), {"CT_AIRFLOW_URL": "airflow"}, "does not begin with http"),
    ],
)
def test_what_is_missing_is_named(command, arguments, variables, words):
    done = command("show", *arguments, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert re.search(words, done.stderr)


def test_a_step_runs_again_on_a_scratch_copy_that_is_dropped(command, airflow):
    done = command("run", RUN, "validate")
    assert done.returncode == 65, done.stderr
    assert json.loads(done.stdout)["code"] == "SKIP_INVALID_BATCH"
    make, step, drop = done.steps
    name = make["inputs"]["name"]
    assert make["inputs"] == {
        "verb": "make", "name": name, "dag_id": "continuous_training", "run_id": airflow.run_id, "task": "validate",
    }  # fmt: skip
    assert make["env"]["CT_ADMIN_DATABASE_URL"] == "postgresql://admin"
    assert step == {
        "task": "validate",
        "inputs": {"batch_id": 41},
        "env": {
            "CT_DATABASE_NAME": f"scratch_{name}", "CT_MODEL_NAME": f"m-{name}", "CT_EXPERIMENT": f"e-{name}",
            "CT_DATABASE_URL": "postgresql://real",
        },
    }  # fmt: skip
    assert (drop["task"], drop["inputs"]) == ("scratch", {"verb": "drop", "name": name})
    assert drop["env"]["CT_EXPERIMENT"] == str(airflow.home / "tries")


def test_a_copy_is_kept_on_request_with_the_command_that_drops_it(command, airflow):
    done = command("run", RUN, "validate", "--keep")
    assert [step["task"] for step in done.steps] == ["scratch", "validate"]
    [told] = [line.split("Drop it: ", 1)[1] for line in done.stderr.splitlines() if "Drop it: " in line]
    name = done.steps[0]["inputs"]["name"]
    bin_ = Path(sys.executable).parent
    dropped = subprocess.run(
        ["sh", "-c", f"{told} --environments {airflow.home}/envs"], capture_output=True, text=True, check=False,
        env={"PATH": f"{bin_}:{os.defpath}", "CT_DATABASE_URL": "postgresql://real", "CT_ADMIN_DATABASE_URL": "postgresql://admin"},
    )  # fmt: skip
    assert dropped.returncode == 0, dropped.stderr
    last = json.loads((airflow.home / "tries" / "log").read_text().splitlines()[-1])
    assert (last["task"], last["inputs"]) == ("scratch", {"verb": "drop", "name": name})
    assert last["env"]["CT_EXPERIMENT"] == str(airflow.home / "tries")


def test_in_place_nothing_is_copied(command):
    done = command("run", RUN, "validate", "--in-place")
    assert done.returncode == 65
    [step] = done.steps
    assert (step["task"], step["env"].get("CT_DATABASE_NAME")) == ("validate", None)
    assert "acts on the real database" in done.stderr


def test_collect_is_not_run_again_on_the_real_source(command):
    done = command("run", RUN, "collect")
    assert (done.returncode, done.steps) == (2, [])
    assert "moves the cursor of the data source" in done.stderr
    again = command("run", RUN, "collect", "--source-url", "http://replica")
    assert again.returncode == 0, again.stderr
    assert again.steps[1]["inputs"]["source_url"] == "http://replica"


def test_a_copy_that_cannot_be_made_stops_the_step(command):
    done = command("run", RUN, "validate", CT_ADMIN_DATABASE_URL="")
    assert (done.returncode, done.steps) == (2, [])
    assert "the scratch copy could not be made: scratch needs the secret CT_ADMIN_DATABASE_URL" in done.stderr


def test_a_shell_opens_where_the_step_would_run(command):
    done = command("run", RUN, "validate", "--in-place", "--shell")
    assert done.returncode == 0, done.stderr
    assert "The step is run by: python -m ct_validate" in done.stderr


def test_the_debugger_starts_at_the_step(command):
    done = command("run", RUN, "validate", "--in-place", "--pdb")
    assert "ct_validate/__main__.py" in done.stdout
    assert "(Pdb)" in done.stdout
