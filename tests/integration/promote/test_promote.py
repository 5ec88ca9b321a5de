"""Promotion on a real MLflow registry and a real PostgreSQL: aliases, tags, the ledger, and kills between any two calls."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from ct_contract import BadDataError, TaskInput
from ct_promote import step
from ct_store.connection import connect
from ct_store.ledger import record_decision
from mlflow import MlflowClient

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("killing", Path(__file__).with_name("killing.py"))
killing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(killing)


@pytest.fixture
def world(tracking_uri, pipeline_url, monkeypatch):
    """A registry with two versions of a model of its own, and a database."""
    name = f"model-{uuid4().hex}"
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", name)
    client = MlflowClient(tracking_uri)
    client.create_registered_model(name)
    run = client.create_run(client.create_experiment(name)).info.run_id
    for _ in range(2):
        client.create_model_version(name, f"runs:/{run}/model", run, tags={"ct.retrain_decision_id": "an id"})
    with connect("test", pipeline_url) as connection:
        yield SimpleNamespace(name=name, client=client, connection=connection)


SUPERIORITY = {"name": "superiority", "code": "REJECT_NOT_BETTER", "value": -0.09, "ci_low": -0.12, "ci_high": -0.06}
GATES = [{**SUPERIORITY, "threshold": -0.01, "verdict": "pass"}]


def decide(world, version, champion=None, outcome="promote", code=None, run_id="r"):  # noqa: PLR0917
    code = code or ("PROMOTE_BETTER" if champion else "PROMOTE_FIRST_MODEL")
    decision = record_decision(
        world.connection, dag_id="d", run_id=run_id, kind="promotion", outcome=outcome, code=code, champion_version=champion,
        challenger_version=version, facts={"failed": [] if outcome == "promote" else ["superiority"]}, gates=GATES,
        policy={"name": "strict", "version": "1", "digest": "x"},
    )  # fmt: skip
    world.connection.commit()
    world.client.set_registered_model_alias(world.name, "challenger", version)
    return str(decision)


def run(decision, version, action="promote", run_id="r"):
    inputs = {"batch_id": 1, "action": action, "decision_id": decision, "model_version": version}
    return step.promote(TaskInput(task="promote", dag_id="d", run_id=run_id, inputs=inputs))


def aliases(world):
    return {alias: str(v) for alias, v in world.client.get_registered_model(world.name).aliases.items()}


def events(world):
    rows = world.connection.execute("SELECT model_version, event FROM audit.model_events ORDER BY event_id").fetchall()
    world.connection.commit()
    return [(row["model_version"], row["event"]) for row in rows]


def test_a_first_model_goes_into_production(world):
    result = run(decide(world, "1"), "1")
    assert (result.code, result.summary["previous_version"]) == ("PROMOTED", None)
    assert aliases(world) == {"production": "1"}
    assert events(world) == [("1", "promoted")]


def test_the_next_keeps_the_previous_and_mirrors_the_tag(world):
    run(decide(world, "1"), "1")
    run(decide(world, "2", champion="1", run_id="r2"), "2", run_id="r2")
    assert aliases(world) == {"production": "2", "previous": "1"}
    assert events(world) == [("1", "promoted"), ("1", "demoted"), ("2", "promoted")]
    stages = {str(v.version): v.tags["stage"] for v in world.client.search_model_versions(f"name = '{world.name}'")}
    assert stages == {"1": "previous", "2": "production"}


def test_the_version_says_why_in_both_languages(world):
    result = run(decide(world, "1"), "1")
    version = world.client.get_model_version(world.name, "1")
    assert version.tags["ct.reason_text"] == result.reason
    assert version.tags["ct.reason_text_es"] == result.summary["reason_es"]
    assert result.reason in version.description
    assert result.summary["reason_es"] in version.description


def test_a_rejected_challenger_stays_registered_with_its_reasons(world):
    run(decide(world, "1"), "1")
    result = run(decide(world, "2", champion="1", outcome="reject", code="REJECT_NOT_BETTER", run_id="r2"), "2", "reject", "r2")
    assert result.code == "REJECTED"
    assert aliases(world) == {"production": "1"}
    version = world.client.get_model_version(world.name, "2")
    assert (version.tags["stage"], version.tags["ct.reason_code"]) == ("rejected", "REJECT_NOT_BETTER")
    assert version.tags["ct.delta_mae"] == "-0.09"
    assert events(world)[-1] == ("2", "rejected")


BEFORE_THE_LEDGER = 19
"""Calls to the registry until a promotion's lines are written; the two files of the report come after them."""


@pytest.mark.parametrize("last", range(BEFORE_THE_LEDGER + 3))
def test_killed_between_any_two_calls_and_run_again_it_ends_the_same(world, monkeypatch, last):
    """The n-th call to the registry is the last of the first try; the second try is whole."""
    run(decide(world, "1"), "1")
    decision = decide(world, "2", champion="1", run_id="r2")
    killed = killing.try_until(monkeypatch, step, last, lambda: run(decision, "2", run_id="r2"))
    assert killed == (last < BEFORE_THE_LEDGER + 2)
    done = [("1", "promoted"), ("1", "demoted"), ("2", "promoted")]
    assert events(world) == (done[:1] if last < BEFORE_THE_LEDGER else done)
    for _ in range(2):
        run(decision, "2", run_id="r2")
        assert aliases(world) == {"production": "2", "previous": "1"}
        assert events(world) == done


def test_what_was_not_decided_is_not_done(world):
    decision = decide(world, "1", outcome="reject", code="REJECT_BELOW_BASELINE")
    for version, action, code in (("1", "promote", "NOT_DECIDED"), ("2", "reject", "NOT_DECIDED")):
        with pytest.raises(BadDataError) as caught:
            run(decision, version, action)
        assert caught.value.code == code
    for unknown in ("not-a-uuid", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(BadDataError) as caught:
            run(unknown, "1")
        assert caught.value.code == "UNKNOWN_DECISION"
    assert aliases(world) == {"challenger": "1"}


def test_production_that_moved_since_the_comparison_is_not_overwritten(world):
    decision = decide(world, "1")
    world.client.set_registered_model_alias(world.name, "production", "2")
    with pytest.raises(BadDataError, match="the next batch compares again") as caught:
        run(decision, "1")
    assert caught.value.code == "PRODUCTION_MOVED"
    assert aliases(world)["production"] == "2"


def test_a_decision_that_was_carried_out_is_not_carried_out_again(world):
    """Somebody has moved production back since: clearing the old task does not undo that."""
    run(decide(world, "1"), "1")
    decision = decide(world, "2", champion="1", run_id="r2")
    first = run(decision, "2", run_id="r2")
    world.client.set_registered_model_alias(world.name, "production", "1")
    again = run(decision, "2", run_id="r2")
    assert (again.code, again.reason) == (first.code, first.reason)
    assert again.summary["aliases_moved"] == [{"alias": "production", "was": "2", "to": "1"}]
    assert aliases(world)["production"] == "1"
    assert events(world) == [("1", "promoted"), ("1", "demoted"), ("2", "promoted"), ("1", "alias_moved_by_hand")]


def test_a_killed_rejection_ends_the_same(world, monkeypatch):
    run(decide(world, "1"), "1")
    decision = decide(world, "2", champion="1", outcome="reject", code="REJECT_NOT_BETTER", run_id="r2")

    class KilledError(BaseException):
        pass

    def killed(*_args):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(step, "_drop_challenger", killed)
        with pytest.raises(KilledError):
            run(decision, "2", "reject", "r2")
    assert events(world) == [("1", "promoted")]
    run(decision, "2", "reject", "r2")
    assert aliases(world) == {"production": "1"}
    assert events(world) == [("1", "promoted"), ("2", "rejected")]


def test_a_version_that_is_gone_is_refused_for_good(world):
    decision = decide(world, "1")
    world.client.delete_model_version(world.name, "1")
    with pytest.raises(BadDataError) as caught:
        run(decision, "1")
    assert caught.value.code == "UNKNOWN_VERSION"
    assert events(world) == []
