"""Rollbacks that are killed between any two calls, on a real MLflow registry and a real PostgreSQL."""

import importlib.util
from pathlib import Path

import pytest
from ct_promote import rollback as module

pytestmark = pytest.mark.integration

SPEC = importlib.util.spec_from_file_location("killing", Path(__file__).with_name("killing.py"))
killing = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(killing)
SPEC = importlib.util.spec_from_file_location("rolling", Path(__file__).with_name("rolling.py"))
rolling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rolling)
world, DONE = rolling.world, rolling.DONE


@pytest.mark.parametrize("last", range(16))
def test_killed_between_any_two_calls_and_run_again_it_ends_the_same(world, monkeypatch, last):
    """The second try is the same run's, or another rollback of somebody who saw the first one fail."""
    before = world.events()
    assert killing.try_until(monkeypatch, module, last, world.by_hand)
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
    assert killing.try_until(monkeypatch, module, 1, world.by_hand)
    world.by_hand("other", to="1")
    assert world.events(4) == [("3", "withdrawn"), ("2", "rolled_back"), ("2", "withdrawn"), ("1", "rolled_back")]
    assert world.aliases() == {"production": "1", "previous": "2"}


def test_a_killed_rollback_is_no_move_by_hand(world, monkeypatch):
    assert killing.try_until(monkeypatch, module, 1, world.by_hand)
    assert world.aliases()["production"] == "1"
    world.by_hand("again")
    assert world.moves() == []
