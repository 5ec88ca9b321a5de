"""A held promotion in a running Airflow: it waits, a person answers through the public API, or nobody does.

API server, scheduler and DAG processor are real, and there is no triggerer. Evaluate and promote are the real steps in
their environments, on a real PostgreSQL and MLflow; the steps before them are small programs that keep the contract.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
import mlflow
import psycopg
import pytest
import yaml
from ct_decisions.policy import POLICIES
from ct_decisions.reasons import render
from ct_store.connection import connect
from ct_store.ledger import find_decision

from local.airflow_api import Airflow
from local.postgres import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ROOT / ".envs"
PASSWORD = "of this test"

DAGS = """
from datetime import timedelta  # airflow dag

from continuous_training.dag import continuous_training_dag

patient = continuous_training_dag("patient", retry_delay=timedelta(seconds=1))
hasty = continuous_training_dag("hasty", retry_delay=timedelta(seconds=1), approval_timeout=timedelta(seconds=20))
"""

STEP = """
from pathlib import Path

from ct_contract import TaskResult, run_task

NAME = Path(__file__).parent.name.removeprefix("ct_")
MORE = {
    "assess": {"decision": "train", "decision_id": "5e"},
    "train": {"model_version": Path(__file__).parents[2].joinpath("version").read_text()},
}


def step(payload):
    return TaskResult(task=NAME, run_id=payload.run_id, code="DONE", summary={"batch_id": 1, **MORE.get(NAME, {})})


raise SystemExit(run_task(NAME, step))
"""


def _conftest():
    spec = importlib.util.spec_from_file_location("decisions_conftest", Path(__file__).parent / "conftest.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Waiting:
    """A running Airflow, and the state of the pipeline that its runs change."""

    def __init__(self, home, url, world, airflow):
        self.home, self.url, self.world, self.airflow = home, url, world, airflow
        token = httpx.post(f"{url}/auth/token", json={"username": "admin", "password": PASSWORD}, timeout=60).json()
        self.http = httpx.Client(
            base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token['access_token']}"}, timeout=60
        )

    def start(self, dag):
        """Trigger a run whose challenger is a new version; the run's id and the version."""
        version = self.world.add_version("1", alias="challenger")
        (self.home / "version").write_text(version)
        run = f"run-{version}"
        self.airflow.trigger(dag, run)
        return run, version

    def wait(self, what, seconds=400):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.5)
        return found

    def wait_for_question(self, dag, run):
        def asked():
            states = {task.name: task.state for task in self.airflow.tasks(dag, run)}
            failed = [name for name, state in states.items() if state == "failed"]
            assert not failed, self.airflow.log(dag, run, failed[0])
            return states.get("approve") == "awaiting_input" and parked in (self.home / "scheduler.log").read_text()

        # Airflow 3.3 fails a task that is resumed before its scheduler has heard that the parked process has ended, and asks
        # again. No person is as fast as a test.
        parked = f"event with state success for task instance TaskInstanceKey(dag_id='{dag}', task_id='approve', run_id='{run}'"
        self.wait(asked)
        return self.http.get(f"/dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails").json()

    def answer(self, dag, run, option, comment):
        answer = self.http.patch(
            f"/dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails",
            json={"chosen_options": [option], "params_input": {"comment": comment}},
        )
        assert answer.is_success, answer.text

    def end(self, dag, run):
        """Wait for the end; the states of the run and of its last tasks."""
        self.wait(lambda: self.airflow.state(dag, run) in {"success", "failed"})
        tasks = {task.name: task.state for task in self.airflow.tasks(dag, run)}
        for name in [name for name, state in tasks.items() if state == "failed"]:
            sys.stdout.write("\n".join([f"last lines of {name}:", *self.airflow.log(dag, run, name), ""]))
        return self.airflow.state(dag, run), {name: tasks.get(name) for name in ("approve", "promote", "reject", "finish")}

    def decision(self, dag, run, kind):
        with connect("test", os.environ["CT_DATABASE_URL"]) as connection:
            return find_decision(connection, dag_id=dag, run_id=run, kind=kind)

    def history(self, run):
        [line] = self.world.rows(f"SELECT * FROM audit.history WHERE run_id = '{run}'")
        return line["promotion_outcome"], line["promotion_code"], line["promoted_at"] is not None

    def events(self, version):
        rows = self.world.rows("SELECT model_version, event FROM audit.model_events WHERE dag_id <> 'before' ORDER BY event_id")
        return [row["event"] for row in rows if row["model_version"] == version]


@pytest.fixture(scope="module")
def pipeline(postgres_server, migrated_template, tracking_uri, tmp_path_factory):
    """A database with a champion that anyone can beat, and a policy that asks a person every time."""
    home, name = tmp_path_factory.mktemp("airflow"), f"waiting_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        connection.execute(f"CREATE DATABASE {name}_airflow")
    content = yaml.safe_load((POLICIES / "strict.yaml").read_text())
    content["promotion"] |= {"approval": True, "too_good_gain": None}
    (home / "policy.yaml").write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CT_DATABASE_URL", postgres_server.url(name))
        patched.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        patched.setenv("CT_MODEL_NAME", name)
        mlflow.set_tracking_uri(tracking_uri)
        with connect("test") as connection:
            world = _conftest().World(connection, tracking_uri, {}, home)
            world.add_batch(1, 2000)
            world.add_version("1", alias="production", error=0.2)
            yield home, postgres_server.url(f"{name}_airflow"), world


@pytest.fixture(scope="module")
def waiting(pipeline, tracking_uri):
    home, airflow_database, world = pipeline
    environments, dags = home / "envs", home / "dags"
    for task in ("collect", "validate", "clean", "assess", "train"):
        python = environments / task / "bin" / "python"
        python.parent.mkdir(parents=True)
        contract = ROOT / "task_images" / "contract"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={home}/modules:{contract} exec {ENVIRONMENTS}/store/bin/python "$@"\n')
        python.chmod(0o755)
        module = home / "modules" / f"ct_{task}"
        module.mkdir(parents=True)
        (module / "__init__.py").touch()
        (module / "__main__.py").write_text(STEP)
    for task in ("evaluate", "promote"):
        (environments / task).symlink_to(ENVIRONMENTS / task)
    dags.mkdir()
    (dags / "waiting.py").write_text(DAGS)
    (home / "passwords.json").write_text(f'{{"admin": "{PASSWORD}"}}')
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = {
        "CORE__DAGS_FOLDER": dags,
        "CORE__LOAD_EXAMPLES": False,
        "CORE__PLUGINS_FOLDER": ROOT / "local" / "airflow_plugins",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 2,
        "CORE__DAGBAG_IMPORT_TIMEOUT": 300,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "DATABASE__SQL_ALCHEMY_CONN": airflow_database.replace("postgresql://", "postgresql+psycopg://", 1),
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": airflow_database.replace("postgresql://", "postgresql+psycopg_async://", 1),
        "API__HOST": "127.0.0.1",
        "API__PORT": port,
        "API__WORKERS": 1,
        "API__BASE_URL": url,
        "API__SECRET_KEY": "k" * 64,
        "API_AUTH__JWT_SECRET": "j" * 64,
        "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": 1,
        "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": 400,
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "LOGGING__WORKER_LOG_SERVER_PORT": free_port(),
        "WORKERS__EXECUTION_API_TIMEOUT": 60,
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "CONTINUOUS_TRAINING__RUNNER": "process",
        "CONTINUOUS_TRAINING__ENVIRONMENTS": environments,
        "CONTINUOUS_TRAINING__SOURCE_URL": "http://source.example.org",
        "CONTINUOUS_TRAINING__MLFLOW_TRACKING_URI": tracking_uri,
        "CONTINUOUS_TRAINING__MODEL_NAME": world.name,
        "CONTINUOUS_TRAINING__POLICY": home / "policy.yaml",
    }
    binaries = ENVIRONMENTS / "airflow" / "bin"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
    env = kept | {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
    env |= {"AIRFLOW_HOME": str(home), "CT_DATABASE_URL": os.environ["CT_DATABASE_URL"], "PYTHONUNBUFFERED": "1"}
    env["PATH"] = f"{binaries}:{env['PATH']}"
    migrated = subprocess.run([binaries / "airflow", "db", "migrate"], env=env, capture_output=True, text=True, check=False)
    assert migrated.returncode == 0, migrated.stderr[-3000:]
    running = []
    try:
        for component in ("api-server", "scheduler", "dag-processor"):
            with (home / f"{component}.log").open("wb") as log:
                running.append(
                    subprocess.Popen([binaries / "airflow", component], env=env, stdout=log, stderr=log, start_new_session=True)
                )
        yield Waiting(home, url, world, _signed_in(url, running, home))
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _signed_in(url, running, home):
    deadline = time.monotonic() + 400
    airflow = Airflow(url, PASSWORD)
    while True:
        try:
            httpx.get(f"{url}/execution/health", timeout=5).raise_for_status()
            break
        except httpx.HTTPError:
            assert all(process.poll() is None for process in running), (home / "api-server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (home / "api-server.log").read_text()[-3000:]
            time.sleep(0.5)
    for dag in ("patient", "hasty"):
        airflow.wait_for_dag(dag, 400)
    return airflow


REJECTED = {"approve": "success", "promote": "skipped", "reject": "success", "finish": "success"}


def test_a_person_refuses(waiting):
    run, version = waiting.start("patient")
    asked = waiting.wait_for_question("patient", run)
    assert asked["subject"] == f"Promote version {version}? · ¿Promover la versión {version}?"
    held = waiting.decision("patient", run, "promotion")
    for language in ("en", "es"):
        assert render(held, language) in asked["body"]
    assert asked["options"] == ["Approve", "Reject"]
    assert asked["params"].keys() == {"comment"}
    assert waiting.history(run) == ("hold", "HOLD_APPROVAL", False)
    assert waiting.world.aliases() == {"production": "1", "challenger": version}, "while it waits nothing moves"
    waiting.answer("patient", run, "Reject", "not this week")
    assert waiting.end("patient", run) == ("success", REJECTED)
    assert waiting.world.aliases() == {"production": "1"}
    assert waiting.history(run) == ("reject", "REJECT_BY_HUMAN", False)
    answer = waiting.decision("patient", run, "approval")
    assert (answer["facts"]["author"], answer["facts"]["reason"]) == ("admin", "not this week")
    assert waiting.events(version) == ["promotion_decided", "rejected"]
    told = waiting.airflow.result("patient", run, "reject")
    assert told["reason"] == render(answer, "en")
    assert any(told["reason"] in line for line in waiting.airflow.log("patient", run, "reject"))


def test_nobody_answers_in_time(waiting):
    run, version = waiting.start("hasty")
    assert waiting.end("hasty", run) == ("success", REJECTED)
    assert waiting.world.aliases() == {"production": "1"}
    assert waiting.history(run) == ("reject", "EXPIRED_APPROVAL", False)
    answer = waiting.decision("hasty", run, "approval")
    assert (answer["facts"]["author"], answer["facts"]["waited"]) == ("", 20)
    assert "nobody answered within 20 s" in waiting.world.client.get_model_version(waiting.world.name, version).description


def test_an_approval_that_comes_too_late_changes_nothing(waiting):
    """Somebody has moved production by hand while the question stood."""
    run, version = waiting.start("patient")
    waiting.wait_for_question("patient", run)
    waiting.world.client.set_registered_model_alias(waiting.world.name, "production", "2")
    try:
        waiting.answer("patient", run, "Approve", "go")
        state, tasks = waiting.end("patient", run)
        assert (state, tasks["promote"], tasks["reject"]) == ("failed", "failed", "skipped")
        assert any("PRODUCTION_MOVED" in line for line in waiting.airflow.log("patient", run, "promote"))
        assert waiting.world.aliases() == {"production": "2", "challenger": version}
        assert waiting.decision("patient", run, "approval") is None
        assert waiting.history(run) == ("hold", "HOLD_APPROVAL", False)
    finally:
        waiting.world.client.set_registered_model_alias(waiting.world.name, "production", "1")


def test_a_person_approves(waiting):
    run, version = waiting.start("patient")
    waiting.wait_for_question("patient", run)
    waiting.answer("patient", run, "Approve", "the market moved")
    approved = {"approve": "success", "promote": "success", "reject": "skipped", "finish": "success"}
    assert waiting.end("patient", run) == ("success", approved)
    assert waiting.world.aliases() == {"production": version, "previous": "1"}
    assert waiting.history(run) == ("promote", "PROMOTE_BY_HUMAN", True)
    assert waiting.events(version) == ["promotion_decided", "promoted"]
    tags = waiting.world.client.get_model_version(waiting.world.name, version).tags
    assert (tags["ct.decided_by"], tags["ct.reason_code"]) == ("admin", "PROMOTE_BY_HUMAN")
    assert "because admin approved it: the market moved." in tags["ct.reason_text"]
    assert "porque admin la aprobó: the market moved." in tags["ct.reason_text_es"]
