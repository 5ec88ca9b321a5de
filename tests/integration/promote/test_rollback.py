"""Rollback on a real MLflow registry and a real PostgreSQL: aliases, tags and the ledger."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ct_contract import BadDataError, ContractError, NothingToDoError, TaskInput
from ct_promote.step import promote

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("rolling", Path(__file__).with_name("rolling.py"))
rolling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rolling)
world, DONE = rolling.world, rolling.DONE

ENVIRONMENTS = Path(__file__).parents[3] / ".envs"

GATE = {"name": "serving_errors", "code": "ROLLBACK_ERRORS", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "threshold": 0.01,
        "verdict": "fail", "note": {"requests": 300, "required": 100, "before": None}}  # fmt: skip


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


def test_the_history_has_its_rows_and_no_others(world):
    world.by_hand()
    rows = world.rows(
        "SELECT run_id, promotion_code, promoted_at, withdrawn_at FROM audit.history ORDER BY happened_at NULLS LAST, run_id"
    )
    assert [row["run_id"] for row in rows] == ["promote 1", "promote 2"]
    assert [row["withdrawn_at"] is not None for row in rows] == [False, True]
    assert rows[1]["withdrawn_at"] > rows[1]["promoted_at"]


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
