"""Aliases that were moved by hand are flagged in the ledger, on a real MLflow registry and a real PostgreSQL."""

import importlib.util
from pathlib import Path

import pytest
from ct_contract import BadDataError, TaskInput
from ct_promote.step import promote

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("rolling", Path(__file__).with_name("rolling.py"))
rolling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rolling)
world = rolling.world


def test_an_alias_that_was_moved_by_hand_is_flagged_once_and_never_moved_back(world, caplog):
    world.client.set_registered_model_alias(world.name, "production", "1")
    decision = world.decide("promotion", "reject", "REJECT_NOT_BETTER", "1", "3", "r3")
    inputs = {"batch_id": 1, "action": "reject", "decision_id": decision, "model_version": "3"}
    result = promote(TaskInput(task="promote", dag_id="d", run_id="r3", inputs=inputs))
    flagged = {"alias": "production", "was": "2", "to": "1"}
    assert result.summary["aliases_moved"] == [flagged]
    [line] = world.moves()
    assert line["model_version"] == "1"
    assert (line["details"]["code"], line["details"]["moves"], line["details"]["noticed_by"]) == (
        "ALIAS_MOVED_BY_HAND", [flagged], "promote",
    )  # fmt: skip
    assert "ALIAS_MOVED_BY_HAND: The alias production was moved by hand from version 2 to version 1." in caplog.text
    assert world.aliases()["production"] == "1"
    world.promote("3", "1")
    assert len(world.moves()) == 1
    assert world.aliases() == {"production": "3", "previous": "1"}


def test_a_flag_outlives_the_step_that_it_makes_fail(world):
    decision = world.decide("promotion", "promote", "PROMOTE_BETTER", "2", "3", "r3")
    world.client.set_registered_model_alias(world.name, "production", "1")
    inputs = {"batch_id": 1, "action": "promote", "decision_id": decision, "model_version": "3"}
    for _ in range(2):
        with pytest.raises(BadDataError) as caught:
            promote(TaskInput(task="promote", dag_id="d", run_id="r3", inputs=inputs))
        assert caught.value.code == "PRODUCTION_MOVED"
    assert len(world.moves()) == 1


def test_aliases_that_were_removed_or_set_by_hand_are_flagged_together(world):
    world.client.delete_registered_model_alias(world.name, "previous")
    world.client.set_registered_model_alias(world.name, "challenger", "3")
    result = world.by_hand(to="1")
    assert result.summary["aliases_moved"] == [
        {"alias": "previous", "was": "1", "to": None}, {"alias": "challenger", "was": None, "to": "3"},
    ]  # fmt: skip
    assert [line["model_version"] for line in world.moves()] == ["1", "3"]
