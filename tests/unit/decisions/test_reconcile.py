"""Which aliases were moved by hand, and where versions stand after rollbacks and such moves."""

import pytest
from ct_decisions.reconcile import Move, moves
from ct_decisions.standing import Standing, standing

pytestmark = pytest.mark.unit


def replay(*lines):
    return standing(
        {"model_version": line[0], "event": line[1], "details": {"moves": line[2:]} if len(line) > 2 else {}} for line in lines
    )


TWO = [("1", "registered"), ("1", "promoted"), ("2", "registered"), ("1", "demoted"), ("2", "promoted")]
BACK = [("2", "withdrawn"), ("1", "rolled_back")]


def test_a_rollback_exchanges_the_two_and_withdraws_the_one():
    then = replay(*TWO, *BACK)
    assert then.aliases == {"production": "1", "previous": "2"}
    assert then.stages == {"1": "production", "2": "withdrawn"}
    assert (then.withdrawn, then.in_rollbacks) == ({"2"}, {"1", "2"})


def test_a_version_that_comes_back_is_withdrawn_no_longer():
    assert replay(*TWO, *BACK, ("1", "withdrawn"), ("2", "rolled_back")).withdrawn == {"1"}
    assert replay(*TWO, *BACK, ("2", "alias_moved_by_hand", {"alias": "production", "to": "2"})).withdrawn == set()


def test_a_move_by_hand_counts_from_when_it_was_flagged():
    moved = {"alias": "production", "was": "2", "to": "1"}, {"alias": "previous", "was": "1", "to": None}
    assert replay(*TWO, ("1", "alias_moved_by_hand", *moved)).aliases == {"production": "1"}


THEN = Standing(aliases={"production": "2", "previous": "1", "challenger": "3"})
NOW = dict(THEN.aliases)


def pending(outcome="promote", champion="2", challenger="3"):
    return [{"outcome": outcome, "champion_version": champion, "challenger_version": challenger}]


def test_aliases_as_the_ledger_has_them_are_no_moves():
    assert moves(THEN, NOW, []) == []


@pytest.mark.parametrize(
    ("alias", "to"), [("production", "1"), ("production", None), ("previous", "2"), ("previous", None), ("challenger", "1")]
)
def test_an_alias_elsewhere_was_moved_by_hand(alias, to):
    now = {**NOW, alias: to} if to else {name: number for name, number in NOW.items() if name != alias}
    assert moves(THEN, now, []) == [Move(alias, THEN.aliases[alias], to)]
    assert moves(THEN, now, pending()) == [Move(alias, THEN.aliases[alias], to)] or (alias, to) == ("previous", "2")


def test_other_aliases_are_nobodys_business():
    assert moves(THEN, {**NOW, "mine": "1"}, []) == []


@pytest.mark.parametrize("done", range(4))
def test_a_promotion_that_is_under_way_is_no_move_by_hand(done):
    """Killed after any of its steps: previous, production, no challenger."""
    now = NOW | dict([("previous", "2"), ("production", "3")][:done])
    if done == 3:
        del now["challenger"]
    assert moves(THEN, now, pending()) == []
    assert (moves(THEN, now, []) == []) == (done == 0)


def test_a_rollback_that_is_under_way_is_no_move_by_hand():
    back = pending("rollback", "2", "1")
    assert moves(THEN, {**NOW, "previous": "2"}, back) == []
    assert moves(THEN, {**NOW, "previous": "2", "production": "1"}, back) == []
    assert moves(THEN, {**NOW, "production": "3"}, back) == [Move("production", "2", "3")]


def test_a_rejection_that_is_under_way_explains_no_promotion():
    rejected = pending("reject")
    without = {name: number for name, number in NOW.items() if name != "challenger"}
    assert moves(THEN, without, rejected) == []
    assert moves(THEN, {**NOW, "production": "3"}, rejected) == [Move("production", "2", "3")]
