"""Every step of a run again on a scratch copy: the same result, and nothing real changes.

Two batches go through the seven steps; then, for each step of the second run, a copy is made as it was before the step, the
step runs in it from its original input, and the copy is dropped.
"""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import psycopg
import pytest
from mlflow import MlflowClient
from psycopg.rows import dict_row

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

HERE = Path(__file__).parent


def _load(name):
    spec = importlib.util.spec_from_file_location(f"scratch_test_{name}", HERE / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


worlds = _load("worlds")
conftest = _load("conftest")
services, assert_same = conftest.services, conftest.final_state.assert_same

# What a repetition is given anew: ids and addresses.
OWN = ("decision_id", "mlflow_run_id", "model_name")


@dataclass
class Story:
    """A world in which two runs have gone through every step: what each step was asked and what it answered."""

    world: Any
    owner_url: str
    maker: Any
    directory: Path
    asked: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    answered: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def step(self, run_id, task, inputs):
        """Run a step for real and keep its call and its result."""
        status, result = services.Step(self.world, task, run_id, inputs, self.directory).finish()
        assert status == 0, result
        self.asked[run_id, task], self.answered[run_id, task] = inputs, result
        return result["summary"]

    def scratch(self, verb, name="it", **inputs):
        """Make or drop a copy; exit status and result."""
        return self.start(verb, name, **inputs).finish()

    def start(self, verb, name="it", **inputs):
        return services.Step(self.maker, "scratch", "scratch", {"verb": verb, "name": name, **inputs}, self.directory)

    def make(self, task, run_id="r1"):
        status, result = self.scratch("make", dag_id="d", run_id=run_id, task=task)
        assert status == 0, result
        assert result["code"] == "SCRATCH_MADE"
        return worlds.ScratchWorld(self.world, result)

    def database_of(self, copy):
        return self.maker.admin_url.rsplit("/", 1)[0] + "/" + copy.result["summary"]["database"]


@pytest.fixture(scope="module")
def story(new_world, postgres_server, tmp_path_factory):
    world = new_world()
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        # The least that works: a role that may create databases, and may end the sessions of those who use a copy.
        connection.execute("CREATE ROLE scratch_maker LOGIN CREATEDB PASSWORD 'maker-secret' IN ROLE pg_signal_backend")
    maker = worlds.Maker(world, postgres_server.url("postgres", "scratch_maker", "maker-secret"))
    owner_url = postgres_server.url(world.database_url.rsplit("/", 1)[1])
    told = Story(world, owner_url, maker, tmp_path_factory.mktemp("scratch"))
    source = {"source_url": world.source_url, "group_number": 7, "day": "Tuesday"}
    urllib.request.urlopen(f"{world.source_url}/restart_data_generation?group_number=7&day=Tuesday", timeout=10).close()
    for run_id in ("r0", "r1"):
        found = {"batch_id": told.step(run_id, "collect", source)["batch_id"]}
        told.step(run_id, "validate", found)
        told.step(run_id, "clean", found)
        retrain = told.step(run_id, "assess", found)
        assert retrain["decision"] == "train", "both runs must train, so that every step takes place"
        trained = told.step(run_id, "train", {**found, "retrain_decision_id": retrain["decision_id"]})
        version = {"model_version": trained["model_version"]}
        verdict = told.step(run_id, "evaluate", {**found, **version})
        told.step(run_id, "promote", {
            **found, **version, "action": verdict["decision"], "decision_id": verdict["decision_id"],
        })  # fmt: skip
    return told


@pytest.fixture(scope="module")
def untouched(story):
    """The real world after its two runs."""
    return _digest(story)


@pytest.fixture(autouse=True)
def nothing_real_changes(story, untouched):
    """After every test of this module."""
    yield
    assert _digest(story) == untouched


def _digest(story):
    real = worlds.model_state(story.world.tracking_uri, story.world.model_name)
    return worlds.digest({**worlds.database_state(story.owner_url), **real})


@pytest.fixture
def clean_up(story):
    """Drop the copy ``it`` afterwards, and see that nothing of it is left."""
    yield
    status, result = story.scratch("drop")
    assert (status, result["code"]) == (0, "SCRATCH_DROPPED")
    assert nothing_is_left(story)


def nothing_is_left(story):
    client = MlflowClient(story.world.tracking_uri)
    with psycopg.connect(story.owner_url) as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'scratch%'").fetchall()
    prefix = f"name LIKE '{story.world.model_name}-scratch%'"
    found = [*databases, *client.search_registered_models(prefix), *client.search_experiments(filter_string=prefix)]
    return not found


@pytest.mark.usefixtures("clean_up")
@pytest.mark.parametrize(("run_id", "task"), [*(("r1", task) for task in worlds.STEPS), ("r0", "evaluate")])
def test_a_step_says_the_same_in_the_copy(story, run_id, task):
    copy = story.make(task, run_id)
    assert "maker-secret" not in str(copy.result)
    assert copy.result["summary"]["rows"]["raw.batches"] == (1 if run_id == "r0" or task == "collect" else 2)
    assert not evidence(story.database_of(copy), run_id, task), "the copy must be as it was before the step"
    status, again = services.Step(copy, task, run_id, story.asked[run_id, task], story.directory).finish()
    original = story.answered[run_id, task]
    assert status == 0, again
    assert again["code"] == original["code"]
    assert_same(without_own(again), without_own(original))
    found = evidence(story.database_of(copy), run_id, task)
    assert found
    assert_same(found, evidence(story.owner_url, run_id, task))


def without_own(result):
    return {
        "reason": result["reason"],
        "summary": {key: value for key, value in result["summary"].items() if key not in OWN},
    }


EVIDENCE = {
    "collect": "SELECT row_count, body_bytes, body_sha256, schema_seen FROM raw.batches WHERE run_id = %s",
    "validate": "SELECT accepted, expectations, schema_changes, new_categories FROM audit.validations WHERE run_id = %s",
    "clean": "SELECT rows_in, rows_accepted, rows_by_split, digest FROM clean.batches WHERE run_id = %s",
    "assess": """
        SELECT s.* FROM audit.signals AS s JOIN audit.decisions USING (decision_id) WHERE run_id = %s ORDER BY position""",
    "train": "SELECT model_version, event FROM audit.model_events WHERE run_id = %s AND event = 'registered'",
    "evaluate": """
        SELECT g.* FROM audit.gates AS g JOIN audit.decisions USING (decision_id) WHERE run_id = %s ORDER BY position""",
    "promote": """
        SELECT model_version, event, details FROM audit.model_events
         WHERE run_id = %s AND event IN ('promoted', 'demoted', 'rejected') ORDER BY event_id""",
}


def evidence(url, run_id, task):
    """What the step has written, without ids and what is measured of the machine.

    MLflow writes the model's name into its files, and the copy's is longer.
    """
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(EVIDENCE[task], (run_id,)).fetchall()
    for row in rows:
        if row.get("name") in ("load_seconds", "latency", "memory", "artifact_size"):
            assert row.pop("value") > 0
    return [{name: value for name, value in row.items() if name != "decision_id"} for row in rows]


@pytest.mark.usefixtures("clean_up")
def test_the_registry_of_a_copy_is_that_of_before(story):
    """Before the promotion of the second run: its version is the challenger and knows nothing yet of the decision."""
    copy = story.make("promote")
    client, name = MlflowClient(story.world.tracking_uri), copy.result["summary"]["model_name"]
    assert {alias: str(v) for alias, v in client.get_registered_model(name).aliases.items()} == {
        "production": "1", "challenger": "2",
    }  # fmt: skip
    champion, challenger = (client.get_model_version(name, number) for number in ("1", "2"))
    assert champion.tags["stage"] == "production"
    real = client.get_model_version(story.world.model_name, "2")
    trained = {key: value for key, value in client.get_run(real.run_id).data.tags.items() if key.startswith("ct.")}
    assert challenger.tags == trained
    assert challenger.description == trained["ct.retrain_text"]
    own = client.get_run(challenger.run_id)
    assert own.data.tags["ct.scratch_of"] == real.run_id
    assert own.data.params == client.get_run(real.run_id).data.params
    mlflow.set_tracking_uri(story.world.tracking_uri)
    for number in ("1", "2"):
        mlflow.pyfunc.load_model(f"models:/{name}/{number}")
    _, promoted = services.Step(copy, "promote", "r1", story.asked["r1", "promote"], story.directory).finish()
    again = client.get_model_version(name, "2")
    assert again.tags == {**client.get_model_version(story.world.model_name, "2").tags}
    assert promoted["code"] == story.answered["r1", "promote"]["code"]


@pytest.fixture(scope="module")
def whole_copy(story):
    """A copy that nobody has disturbed: its tables, its versions."""
    copy = story.make("evaluate")
    state = copy_state(story, copy)
    story.scratch("drop")
    return state


def copy_state(story, copy):
    name = copy.result["summary"]["model_name"]
    registry = worlds.model_state(story.world.tracking_uri, name)
    versions = [(number, tags, description) for number, _, _, tags, description, _ in registry["versions"]]
    runs = sorted((str(tags), params, metrics, files) for _, _, tags, params, metrics, files in registry["runs"])
    return (worlds.database_state(story.database_of(copy)), registry["model"][:2], versions, runs, copy.result)


@pytest.mark.usefixtures("clean_up")
@pytest.mark.parametrize("words", ["rows copied", "version 1 copied"])
def test_a_killed_make_run_again_ends_the_same(story, whole_copy, words):
    killed = story.start("make", dag_id="d", run_id="r1", task="evaluate")
    killed.wait_for_line(words)
    killed.kill()
    assert not killed.result_path.exists()
    assert copy_state(story, story.make("evaluate")) == whole_copy


@pytest.mark.usefixtures("clean_up")
def test_what_a_make_leaves_that_was_killed_before_it_could_say_whose_it_is(story, whole_copy):
    with psycopg.connect(story.maker.admin_url, autocommit=True) as maker:
        maker.execute("CREATE DATABASE scratch_it")
    assert copy_state(story, story.make("evaluate")) == whole_copy


def test_a_killed_make_can_be_dropped(story):
    killed = story.start("make", dag_id="d", run_id="r1", task="evaluate")
    killed.wait_for_line("version 1 copied")
    killed.kill()
    assert not nothing_is_left(story)
    assert story.scratch("drop")[1]["summary"]["was_there"]
    assert nothing_is_left(story)


def test_dropping_what_is_not_there_is_fine(story):
    status, result = story.scratch("drop", "never-made")
    assert (status, result["code"], result["summary"]["was_there"]) == (0, "SCRATCH_DROPPED", False)


def test_a_database_that_is_no_copy_is_left_alone(story, postgres_server):
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE scratch_ledger OWNER scratch_maker")
    url = postgres_server.url("scratch_ledger")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE books (id integer)")
    try:
        for verb, inputs in (("drop", {}), ("make", {"dag_id": "d", "run_id": "r1", "task": "train"})):
            status, result = story.scratch(verb, "ledger", **inputs)
            assert (status, result["code"]) == (65, "NOT_A_SCRATCH")
        with psycopg.connect(url) as connection:
            connection.execute("SELECT * FROM books")
    finally:
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE scratch_ledger")


def test_a_run_that_is_not_known_is_refused(story):
    status, result = story.scratch("make", dag_id="d", run_id="r9", task="train")
    assert (status, result["code"]) == (65, "UNKNOWN_RUN")
    assert nothing_is_left(story)


@pytest.mark.usefixtures("clean_up")
def test_a_session_in_a_copy_does_not_keep_it(story):
    copy = story.make("collect")
    session = psycopg.connect(story.world.database_url, dbname=copy.result["summary"]["database"])
    session.execute("SELECT count(*) FROM raw.requests")
    assert story.scratch("drop")[1]["summary"]["was_there"]
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")


def test_a_make_that_is_asked_to_stop_leaves_nothing(story):
    stopped = story.start("make", dag_id="d", run_id="r1", task="evaluate")
    stopped.wait_for_line("rows copied")
    stopped.process.terminate()
    stopped.process.communicate(timeout=60)
    assert stopped.process.returncode == 143
    assert nothing_is_left(story)


def test_a_role_that_may_not_create_databases_is_told_so(story):
    maker = worlds.Maker(story.world, story.world.database_url)
    inputs = {"verb": "make", "name": "it", "dag_id": "d", "run_id": "r1", "task": "train"}
    refused = services.Step(maker, "scratch", "scratch", inputs, story.directory)
    output, _ = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 1
    assert "CREATEDB" in output
    assert "Traceback" not in output
