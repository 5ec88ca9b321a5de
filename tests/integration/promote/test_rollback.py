"""Rollback on a real MLflow registry and a real PostgreSQL: aliases, tags, the ledger, kills between any two calls."""

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from ct_contract import BadDataError, ContractError, NothingToDoError, TaskInput
from ct_decisions.registry import Registry
from ct_promote import rollback as module
from ct_promote.rollback import rollback
from ct_promote.step import promote
from ct_store.connection import connect
from ct_store.ledger import record_decision
from mlflow import MlflowClient

pytestmark = pytest.mark.integration

ENVIRONMENTS = Path(__file__).parents[3] / ".envs"

GATE = {"name": "serving_errors", "code": "ROLLBACK_ERRORS", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "threshold": 0.01,
        "verdict": "fail", "note": {"requests": 300, "required": 100, "before": None}}  # fmt: skip


class World:
    """A registry with three versions of a model of its own; 1 was promoted, then 2 in its place."""

    def __init__(self, name, client, connection):
        self.name, self.client, self.connection = name, client, connection
        run = client.create_run(client.create_experiment(name)).info.run_id
        client.create_registered_model(name)
        for _ in range(3):
            client.create_model_version(name, f"runs:/{run}/model", run, description="It was trained.")
        self.promote("1", None)
        self.promote("2", "1")

    def decide(self, kind, outcome, code, champion, challenger, run_id, gates=()):  # noqa: PLR0917
        decision = record_decision(
            self.connection, dag_id="d", run_id=run_id, kind=kind, outcome=outcome, code=code, champion_version=champion,
            challenger_version=challenger, facts={"failed": [gate["name"] for gate in gates]}, gates=gates,
        )  # fmt: skip
        self.connection.commit()
        return str(decision)

    def promote(self, version, champion):
        run_id = f"promote {version}"
        decision = self.decide("promotion", "promote", "PROMOTE_BETTER", champion, version, run_id)
        inputs = {"batch_id": 1, "action": "promote", "decision_id": decision, "model_version": version}
        return promote(TaskInput(task="promote", dag_id="d", run_id=run_id, inputs=inputs))

    def by_hand(self, run_id="hand", **inputs):
        given = {"action": "rollback", "author": "Ana", "reason": "complaints", **inputs}
        return rollback(TaskInput(task="promote", dag_id="by_hand", run_id=run_id, inputs=given))

    def automatic(self, decision, run_id="watch"):
        inputs = {"action": "rollback", "decision_id": decision}
        return rollback(TaskInput(task="promote", dag_id="w", run_id=run_id, inputs=inputs))

    def aliases(self):
        return {alias: str(v) for alias, v in self.client.get_registered_model(self.name).aliases.items()}

    def rows(self, query):
        found = self.connection.execute(query).fetchall()
        self.connection.commit()
        return found

    def events(self, last=None):
        rows = self.rows("SELECT model_version, event FROM audit.model_events ORDER BY event_id")
        return [(row["model_version"], row["event"]) for row in rows][-last if last else None :]

    def version(self, number):
        return self.client.get_model_version(self.name, number)


@pytest.fixture
def world(tracking_uri, pipeline_url, monkeypatch):
    name = f"model-{uuid4().hex}"
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", name)
    with connect("test", pipeline_url) as connection:
        yield World(name, MlflowClient(tracking_uri), connection)


DONE = [("2", "withdrawn"), ("1", "rolled_back")]


def test_a_person_goes_back_to_the_previous_version(world):
    result = world.by_hand()
    assert world.aliases() == {"production": "1", "previous": "2"}
    assert world.events(2) == DONE
    assert (result.code, result.summary["decision_code"], result.summary["model_version"]) == (
        "ROLLED_BACK",
        "ROLLBACK_MANUAL",
        "1",
    )
    assert (
        result.reason == "Version 2 was taken out of production and version 1 was restored at the request of Ana: complaints."
    )
    [decision] = world.rows("SELECT * FROM audit.decisions WHERE kind = 'rollback'")
    assert (decision["outcome"], decision["code"], decision["champion_version"], decision["challenger_version"]) == (
        "rollback", "ROLLBACK_MANUAL", "2", "1",
    )  # fmt: skip
    assert (decision["facts"]["author"], decision["facts"]["reason"]) == ("Ana", "complaints")


def test_both_versions_say_why_in_both_languages_and_keep_what_they_said(world):
    result = world.by_hand()
    for number, stage in (("1", "production"), ("2", "withdrawn")):
        version = world.version(number)
        assert version.tags["stage"] == stage
        assert version.tags["ct.rollback_code"] == "ROLLBACK_MANUAL"
        assert (version.tags["ct.rollback_text"], version.tags["ct.rollback_text_es"]) == (
            result.reason, result.summary["reason_es"],
        )  # fmt: skip
        assert "was promoted" in version.description
        assert version.description.endswith(f"{result.reason}\n\n{result.summary['reason_es']}")
        assert version.tags["ct.reason_code"] == "PROMOTE_BETTER"


def test_a_second_rollback_does_not_come_back_to_the_bad_version_unless_it_is_named(world):
    world.by_hand()
    with pytest.raises(BadDataError, match="version 1 is in production") as caught:
        world.by_hand("again")
    assert caught.value.code == "PREVIOUS_WAS_ROLLED_BACK"
    assert world.aliases() == {"production": "1", "previous": "2"}
    assert len(world.rows("SELECT FROM audit.decisions WHERE kind = 'rollback'")) == 1
    world.by_hand("named", to="2")
    assert world.aliases() == {"production": "2", "previous": "1"}
    assert world.events(2) == [("1", "withdrawn"), ("2", "rolled_back")]
    assert world.version("2").tags["stage"] == "production"


def test_after_a_rollback_and_a_promotion_the_way_back_is_open_again(world):
    world.by_hand()
    world.promote("3", "1")
    assert world.aliases() == {"production": "3", "previous": "1"}
    world.by_hand("again")
    assert world.aliases() == {"production": "1", "previous": "3"}


def test_any_version_can_be_named(world):
    world.promote("3", "2")
    world.by_hand(to="1")
    assert world.aliases() == {"production": "1", "previous": "3"}


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ({"author": ""}, ContractError, "needs an author and a reason"),
        ({"reason": " "}, ContractError, "needs an author and a reason"),
        ({"to": "9"}, BadDataError, "MLflow holds no version 9"),
        ({"to": "2"}, NothingToDoError, "version 2 is in production"),
        ({"decision_id": "no id"}, BadDataError, "there is no rollback decision"),
    ],
)
def test_what_cannot_be_done_changes_nothing(world, inputs, error, words):
    before = (world.aliases(), world.events())
    with pytest.raises(error, match=words):
        world.by_hand(**inputs)
    assert (world.aliases(), world.events()) == before
    assert world.rows("SELECT FROM audit.decisions WHERE kind = 'rollback'") == []


def test_without_a_previous_version_the_target_must_be_named(world):
    world.client.delete_registered_model_alias(world.name, "previous")
    with pytest.raises(BadDataError, match="name the version to go back to") as caught:
        world.by_hand()
    assert caught.value.code == "NO_PREVIOUS_VERSION"
    world.by_hand("named", to="1")
    assert world.aliases() == {"production": "1", "previous": "2"}


def test_without_a_champion_there_is_nothing_to_roll_back(world):
    world.client.delete_registered_model_alias(world.name, "production")
    with pytest.raises(BadDataError) as caught:
        world.by_hand()
    assert caught.value.code == "NO_CHAMPION"


def test_what_a_watch_decided_is_carried_out_once(world):
    decision = world.decide("rollback", "rollback", "ROLLBACK_ERRORS", "2", "1", "watch", [GATE])
    result = world.automatic(decision)
    assert result.reason.startswith(
        "Version 2 was taken out of production and version 1 was restored, because 20% of its last 300"
    )
    assert world.aliases() == {"production": "1", "previous": "2"}
    assert world.version("2").tags["ct.rollback_code"] == "ROLLBACK_ERRORS"
    world.promote("3", "1")
    assert world.automatic(decision) == result
    assert world.aliases() == {"production": "3", "previous": "1"}
    assert world.events().count(("1", "rolled_back")) == 1


def test_what_a_watch_did_not_decide_is_not_done(world):
    keep = world.decide("rollback", "keep", "WATCH_SOUND", "2", "1", "watch")
    with pytest.raises(BadDataError) as caught:
        world.automatic(keep)
    assert caught.value.code == "NOT_DECIDED"
    assert world.aliases()["production"] == "2"


def test_production_that_moved_since_the_watch_is_left_alone(world):
    decision = world.decide("rollback", "rollback", "ROLLBACK_ERRORS", "2", "1", "watch", [GATE])
    world.promote("3", "2")
    with pytest.raises(BadDataError, match="version 3 is in production, and not version 2") as caught:
        world.automatic(decision)
    assert caught.value.code == "PRODUCTION_MOVED"
    assert world.aliases()["production"] == "3"


def test_a_challenger_that_was_compared_with_the_version_that_left_is_not_promoted(world):
    decision = world.decide("promotion", "promote", "PROMOTE_BETTER", "2", "3", "r3")
    world.by_hand()
    inputs = {"batch_id": 1, "action": "promote", "decision_id": decision, "model_version": "3"}
    with pytest.raises(BadDataError, match="the next batch compares again") as caught:
        promote(TaskInput(task="promote", dag_id="d", run_id="r3", inputs=inputs))
    assert caught.value.code == "PRODUCTION_MOVED"
    assert world.aliases()["production"] == "1"
    world.promote("3", "1")
    assert world.aliases()["production"] == "3"


CALLS = ("set_registered_model_alias", "set_model_version_tag", "update_model_version")


class KilledError(BaseException):
    pass


def kill_after(monkeypatch, last):
    """The n-th call to the registry that changes something is the last."""
    made = []

    def registry():
        found = Registry()
        for name in CALLS:
            call = getattr(found.client, name)

            def counted(*args, _call=call, **kwargs):
                if len(made) == last:
                    raise KilledError
                made.append(args)
                return _call(*args, **kwargs)

            monkeypatch.setattr(found.client, name, counted)
        return found

    monkeypatch.setattr(module, "Registry", registry)


@pytest.mark.parametrize("last", range(16))
def test_killed_between_any_two_calls_and_run_again_it_ends_the_same(world, monkeypatch, last):
    """The second try is the same run's, or another rollback of somebody who saw the first one fail."""
    before = world.events()
    with monkeypatch.context() as patched:
        kill_after(patched, last)
        with pytest.raises(KilledError):
            world.by_hand()
    assert world.events() == before
    result = world.by_hand("hand" if last % 2 else "another run")
    assert world.aliases() == {"production": "1", "previous": "2"}
    assert world.events(2) == DONE
    assert len(world.events()) == len(before) + 2
    assert result.summary["decision_code"] == "ROLLBACK_MANUAL"
    assert len(world.rows("SELECT FROM audit.decisions WHERE kind = 'rollback'")) == 1
    assert {number: world.version(number).tags["stage"] for number in "12"} == {"1": "production", "2": "withdrawn"}
    assert world.version("2").description.count("was taken out of production") == 1


def test_a_rollback_that_was_killed_is_finished_before_another_one_begins(world, monkeypatch):
    world.promote("3", "2")
    with monkeypatch.context() as patched:
        kill_after(patched, 1)
        with pytest.raises(KilledError):
            world.by_hand()
    world.by_hand("other", to="1")
    assert world.events(4) == [("3", "withdrawn"), ("2", "rolled_back"), ("2", "withdrawn"), ("1", "rolled_back")]
    assert world.aliases() == {"production": "1", "previous": "2"}


def test_a_killed_rollback_is_no_move_by_hand(world, monkeypatch):
    with monkeypatch.context() as patched:
        kill_after(patched, 1)
        with pytest.raises(KilledError):
            world.by_hand()
    assert world.aliases()["production"] == "1"
    world.by_hand("again")
    assert moves(world) == []


def test_the_history_has_its_rows_and_no_others(world):
    world.by_hand()
    rows = world.rows(
        "SELECT run_id, promotion_code, promoted_at, withdrawn_at FROM audit.history ORDER BY happened_at NULLS LAST, run_id"
    )
    assert [row["run_id"] for row in rows] == ["promote 1", "promote 2"]
    assert [row["withdrawn_at"] is not None for row in rows] == [False, True]
    assert rows[1]["withdrawn_at"] > rows[1]["promoted_at"]


def moves(world):
    return world.rows(
        "SELECT model_version, details FROM audit.model_events WHERE event LIKE '%alias_moved_by_hand' ORDER BY event_id"
    )


def test_an_alias_that_was_moved_by_hand_is_flagged_once_and_never_moved_back(world, caplog):
    world.client.set_registered_model_alias(world.name, "production", "1")
    decision = world.decide("promotion", "reject", "REJECT_NOT_BETTER", "1", "3", "r3")
    inputs = {"batch_id": 1, "action": "reject", "decision_id": decision, "model_version": "3"}
    result = promote(TaskInput(task="promote", dag_id="d", run_id="r3", inputs=inputs))
    flagged = {"alias": "production", "was": "2", "to": "1"}
    assert result.summary["aliases_moved"] == [flagged]
    [line] = moves(world)
    assert line["model_version"] == "1"
    assert (line["details"]["code"], line["details"]["moves"], line["details"]["noticed_by"]) == (
        "ALIAS_MOVED_BY_HAND", [flagged], "promote",
    )  # fmt: skip
    assert "ALIAS_MOVED_BY_HAND: The alias production was moved by hand from version 2 to version 1." in caplog.text
    assert world.aliases()["production"] == "1"
    world.promote("3", "1")
    assert len(moves(world)) == 1
    assert world.aliases() == {"production": "3", "previous": "1"}


def test_a_flag_outlives_the_step_that_it_makes_fail(world):
    decision = world.decide("promotion", "promote", "PROMOTE_BETTER", "2", "3", "r3")
    world.client.set_registered_model_alias(world.name, "production", "1")
    inputs = {"batch_id": 1, "action": "promote", "decision_id": decision, "model_version": "3"}
    for _ in range(2):
        with pytest.raises(BadDataError) as caught:
            promote(TaskInput(task="promote", dag_id="d", run_id="r3", inputs=inputs))
        assert caught.value.code == "PRODUCTION_MOVED"
    assert len(moves(world)) == 1


def test_aliases_that_were_removed_or_set_by_hand_are_flagged_together(world):
    world.client.delete_registered_model_alias(world.name, "previous")
    world.client.set_registered_model_alias(world.name, "challenger", "3")
    result = world.by_hand(to="1")
    assert result.summary["aliases_moved"] == [
        {"alias": "previous", "was": "1", "to": None}, {"alias": "challenger", "was": None, "to": "3"},
    ]  # fmt: skip
    assert [line["model_version"] for line in moves(world)] == ["1", "3"]


def run_by_command(*arguments):
    """The command line, whose step runs in the image's own environment; exit status, result, log."""
    program = "from continuous_training.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--environments", str(ENVIRONMENTS)],
        env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_the_command_rolls_back_in_the_images_environment_and_refuses_what_would_come_back(world):
    given = ("rollback", "--author", "Ana", "--reason", "complaints")
    status, result, log = run_by_command(*given)
    assert status == 0, log
    assert (result["code"], result["summary"]["decision_code"]) == ("ROLLED_BACK", "ROLLBACK_MANUAL")
    assert world.aliases() == {"production": "1", "previous": "2"}
    assert world.events(2) == DONE
    assert "INFO: ROLLED_BACK: Version 2 was taken out of production" in log
    status, result, _ = run_by_command(*given)
    assert (status, result["code"]) == (65, "PREVIOUS_WAS_ROLLED_BACK")
    status, result, _ = run_by_command(*given, "--to", "1")
    assert (status, result["code"]) == (99, "ALREADY_IN_PRODUCTION")
    assert world.events(2) == DONE
