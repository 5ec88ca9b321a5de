"""A held promotion and its answer on a real MLflow registry and a real PostgreSQL: recorded first, carried out once."""

import importlib.util
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import mlflow
import pytest
from ct_contract import BadDataError, TaskInput, TaskResult
from ct_decisions.reconcile import _LOCK as LOCK
from ct_decisions.registry import Registry
from ct_promote import step
from ct_store.connection import connect
from ct_store.ledger import find_decision, record_decision, record_event
from mlflow import MlflowClient

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("killing", Path(__file__).with_name("killing.py"))
killing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(killing)

ROOT = Path(__file__).resolve().parents[3]

GATES = [
    {"name": "baseline", "code": "REJECT_BELOW_BASELINE", "value": -0.4, "threshold": -0.1, "verdict": "pass"},
    {"name": "superiority", "code": "REJECT_NOT_BETTER", "value": -0.09, "ci_low": -0.12, "ci_high": -0.06,
     "threshold": -0.01, "verdict": "pass"},
    {"name": "blast_radius", "code": "HOLD_APPROVAL_BLAST", "value": 0.31, "threshold": 0.25, "verdict": "hold",
     "note": {"requests": 10_000, "move": 0.2}},
]  # fmt: skip
YES = {
    "answer": "approve", "author": "ana", "answered_at": "2026-01-02T03:04:05+00:00", "comment": "the market moved",
    "timeout_seconds": 86400.0,
}  # fmt: skip
NO = {**YES, "answer": "reject", "comment": "too many prices move"}
FREE = "SELECT pg_try_advisory_xact_lock(%s::int, hashtext(%s)) AS free"
NOBODY = {**YES, "answer": "expired", "author": "", "comment": ""}


@pytest.fixture
def world(tracking_uri, pipeline_url, monkeypatch):
    """A champion (version 1) and a challenger (2) whose promotion is held."""
    name = f"model-{uuid4().hex}"
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", name)
    client = MlflowClient(tracking_uri)
    client.create_registered_model(name)
    experiment = client.create_experiment(name)
    runs = [client.create_run(experiment).info.run_id for _ in range(3)]
    for run in runs:
        client.create_model_version(name, f"runs:/{run}/model", run, tags={"ct.retrain_text": "Batch 4: trained."})
    client.set_registered_model_alias(name, "production", "1")
    client.set_registered_model_alias(name, "challenger", "2")
    with connect("test", pipeline_url) as connection:
        for number, event in (("1", "promoted"), ("2", "registered")):
            record_event(connection, dag_id="before", run_id=number, model_name=name, model_version=number, event=event)
        held = record_decision(
            connection, dag_id="d", run_id="r", kind="promotion", outcome="hold", code="HOLD_APPROVAL_BLAST",
            champion_version="1", challenger_version="2", gates=GATES, policy={"name": "strict", "version": "2", "digest": "x"},
            facts={"failed": [], "held": ["blast_radius"], "would_be": "PROMOTE_BETTER", "batch_number": 4},
        )  # fmt: skip
        connection.commit()
        yield SimpleNamespace(name=name, client=client, connection=connection, held=str(held), runs=runs, uri=tracking_uri)


def run(world, action, approval=None, version="2", decision=None):
    inputs = {"batch_id": 1, "action": action, "decision_id": decision or world.held, "model_version": version}
    inputs |= {"approval": approval} if approval is not None else {}
    return step.promote(TaskInput(task="promote", dag_id="d", run_id="r", inputs=inputs))


def aliases(world):
    return {alias: str(v) for alias, v in world.client.get_registered_model(world.name).aliases.items()}


def rows(world, query):
    found = world.connection.execute(query).fetchall()
    world.connection.commit()
    return found


def events(world):
    return [(line["model_version"], line["event"]) for line in ledger(world)]


def ledger(world):
    return rows(world, "SELECT * FROM audit.model_events WHERE dag_id = 'd' ORDER BY event_id")


def approval(world):
    found = find_decision(world.connection, dag_id="d", run_id="r", kind="approval")
    world.connection.commit()
    return found


def history(world):
    line = rows(world, "SELECT * FROM audit.history")[0]
    return line["promotion_outcome"], line["promotion_code"], line["approval_code"]


def refused(world, *arguments, **named):
    with pytest.raises(BadDataError, match=r"Nothing was changed") as caught:
        run(world, *arguments, **named)
    return caught.value.code


def test_nobody_promotes_or_rejects_a_hold_without_an_answer(world):
    assert refused(world, "promote") == "NOT_APPROVED"
    assert refused(world, "reject") == "NOT_APPROVED"
    assert aliases(world) == {"production": "1", "challenger": "2"}
    assert (events(world), approval(world)) == ([], None)
    assert history(world) == ("hold", "HOLD_APPROVAL_BLAST", None)


@pytest.mark.parametrize(("action", "answer"), [("promote", NO), ("promote", NOBODY), ("reject", YES)])
def test_an_answer_is_not_turned_round(world, action, answer):
    assert refused(world, action, answer) == "NOT_DECIDED"
    assert (aliases(world), approval(world)) == ({"production": "1", "challenger": "2"}, None)


@pytest.mark.parametrize("answer", [{**YES, "author": ""}, {**YES, "answered_at": "soon"}, {"answer": "approve"}])
def test_an_answer_that_cannot_be_read_changes_nothing(world, answer):
    assert refused(world, "promote", answer) == "ANSWER_UNREADABLE"
    assert (events(world), approval(world)) == ([], None)


def test_an_approval_promotes_and_is_kept_with_who_and_why(world):
    result = run(world, "promote", YES)
    assert (result.code, result.summary["decision_code"]) == ("PROMOTED", "PROMOTE_BY_HUMAN")
    assert aliases(world) == {"production": "2", "previous": "1"}
    assert events(world) == [("1", "demoted"), ("2", "promoted")]
    found = approval(world)
    assert (found["outcome"], found["code"], found["champion_version"]) == ("promote", "PROMOTE_BY_HUMAN", "1")
    assert (found["facts"]["author"], found["facts"]["reason"]) == ("ana", "the market moved")
    assert [gate["name"] for gate in found["gates"]] == ["blast_radius", "superiority"]
    assert {line["decision_id"] for line in ledger(world)} == {found["decision_id"]}
    assert history(world) == ("promote", "PROMOTE_BY_HUMAN", "PROMOTE_BY_HUMAN")
    tags = world.client.get_model_version(world.name, "2").tags
    assert (tags["ct.decision"], tags["ct.reason_code"], tags["ct.decided_by"]) == ("promote", "PROMOTE_BY_HUMAN", "ana")
    assert tags["ct.delta_mae"] == "-0.09", "the comparison's numbers stay with the version"


@pytest.mark.parametrize(("answer", "code", "by"), [(NO, "REJECT_BY_HUMAN", "ana"), (NOBODY, "EXPIRED_APPROVAL", "policy")])
def test_a_refusal_or_silence_leaves_production_as_it_is(world, answer, code, by):
    result = run(world, "reject", answer)
    assert (result.code, result.summary["decision_code"]) == ("REJECTED", code)
    assert aliases(world) == {"production": "1"}
    assert events(world) == [("2", "rejected")]
    assert history(world) == ("reject", code, code)
    tags = world.client.get_model_version(world.name, "2").tags
    assert (tags["stage"], tags["ct.reason_code"], tags["ct.decided_by"]) == ("rejected", code, by)


@pytest.mark.parametrize(("action", "answer"), [("promote", YES), ("reject", NO)])
def test_nobody_else_moves_aliases_while_an_answer_is_carried_out(world, monkeypatch, action, answer):
    """Recording the answer ends a transaction: a rollback at that moment must wait, and not meet aliases half moved."""
    seen = []

    def registry():
        found = Registry()
        call = found.client.set_model_version_tag

        def watched(*args):
            with connect("other") as other:
                seen.append(other.execute(FREE, (LOCK, world.name)).fetchone()["free"])
            return call(*args)

        monkeypatch.setattr(found.client, "set_model_version_tag", watched)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(step, "Registry", registry)
        run(world, action, answer)
    assert seen
    assert not any(seen), "the lock on the model's aliases was free"


def test_the_first_answer_of_a_run_counts(world):
    first = run(world, "promote", YES)
    assert run(world, "promote", {**YES, "author": "bob", "comment": "me too"}) == first
    assert refused(world, "reject", NO) == "NOT_DECIDED"
    assert approval(world)["facts"]["author"] == "ana"
    assert events(world) == [("1", "demoted"), ("2", "promoted")]


def test_an_approval_that_comes_too_late_is_not_recorded(world):
    world.client.set_registered_model_alias(world.name, "production", "3")
    with pytest.raises(BadDataError, match="the next batch compares again") as caught:
        run(world, "promote", YES)
    assert caught.value.code == "PRODUCTION_MOVED"
    assert (aliases(world)["production"], events(world), approval(world)) == ("3", [("3", "alias_moved_by_hand")], None)
    assert run(world, "reject", NO).summary["decision_code"] == "REJECT_BY_HUMAN", "a refusal is never too late"


def test_an_answer_is_for_the_run_s_own_hold(world):
    run(world, "reject", NO)
    with connect("test") as connection:
        other = record_decision(
            connection, dag_id="d", run_id="r2", kind="promotion", outcome="hold", code="HOLD_APPROVAL", champion_version="1",
            challenger_version="3", gates=GATES, facts={"held": ["blast_radius"]},
        )  # fmt: skip
        connection.commit()
    assert refused(world, "reject", NO, version="3", decision=str(other)) == "NOT_DECIDED"


def test_the_report_in_the_run_tells_the_answer_in_both_languages(world):
    result = run(world, "promote", YES)
    mlflow.set_tracking_uri(world.uri)
    english, spanish = (mlflow.artifacts.load_text(f"runs:/{world.runs[1]}/report.{language}.md") for language in ("en", "es"))
    assert result.reason in english
    assert result.summary["reason_es"] in spanish
    assert "Answer of ana at 2026-01-02 03:04:05: the market moved" in english
    assert "| 2 | promoted |" in english
    assert "| 2 | promovida |" in spanish


WHOLE = {"promote": 21, "reject": 18}
"""Calls to the registry of a whole try; the last two are files of the report, after the ledger's lines."""


@pytest.mark.parametrize(
    ("action", "last"),
    [("promote", 0), ("promote", 3), ("promote", 18), ("promote", 20), ("promote", 21), ("reject", 0), ("reject", 17),
     ("reject", 18)],
)  # fmt: skip
def test_killed_between_any_two_calls_and_run_again_it_ends_the_same(world, monkeypatch, action, last):
    """The n-th call to the registry is the last of the first try; the second try is whole and repeats no answer."""
    answer = YES if action == "promote" else NO
    killed = killing.try_until(monkeypatch, step, last, lambda: run(world, action, answer))
    assert killed == (last < WHOLE[action])
    first = approval(world)
    assert first is not None, "the answer is kept before anything is done about it"
    run(world, action, answer)
    assert approval(world) == first
    ended = {"promote": {"production": "2", "previous": "1"}, "reject": {"production": "1"}}
    written = {"promote": [("1", "demoted"), ("2", "promoted")], "reject": [("2", "rejected")]}
    assert (aliases(world), events(world)) == (ended[action], written[action])


def test_the_image_s_own_environment_carries_out_an_answer(world, pipeline_url, tmp_path):
    python = ROOT / ".envs" / "promote" / "bin" / "python"
    inputs = {"batch_id": 1, "action": "reject", "decision_id": world.held, "model_version": "2", "approval": NO}
    payload = TaskInput(task="promote", dag_id="d", run_id="r", inputs=inputs)
    variables = {"CT_DATABASE_URL": pipeline_url, "MLFLOW_TRACKING_URI": world.uri, "CT_MODEL_NAME": world.name}
    done = subprocess.run(
        [python, "-m", "ct_promote", "--result", tmp_path / "result.json"],
        env={**os.environ, **variables, "CT_INPUT": payload.to_json()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = TaskResult.from_json((tmp_path / "result.json").read_text())
    assert f"INFO: REJECTED: {result.reason}\n" in done.stdout
    assert history(world) == ("reject", "REJECT_BY_HUMAN", "REJECT_BY_HUMAN")
    assert {file.path for file in world.client.list_artifacts(world.runs[1])} == {"report.en.md", "report.es.md"}
