"""Where the versions stood, replayed from lines of the ledger; and names."""

import pytest
from ct_contract import ContractError
from ct_decisions.standing import standing
from ct_scratch.names import names_of
from ct_scratch.standing import DECISION_TAGS, description_and_tags

pytestmark = pytest.mark.unit


def replay(*lines):
    return standing({"model_version": number, "event": event} for number, event in lines)


FIRST = [("1", "registered"), ("1", "promotion_decided"), ("1", "promoted")]
SECOND = [("2", "registered"), ("2", "promotion_decided")]


def test_a_new_version_is_the_challenger():
    assert replay(*FIRST, *SECOND).aliases == {"production": "1", "challenger": "2"}


def test_a_promoted_version_leaves_its_place_and_sends_the_other_back():
    then = replay(*FIRST, *SECOND, ("1", "demoted"), ("2", "promoted"))
    assert then.aliases == {"production": "2", "previous": "1"}
    assert then.stages == {"1": "previous", "2": "production"}


def test_a_rejected_version_leaves_production_alone():
    then = replay(*FIRST, *SECOND, ("2", "rejected"))
    assert then.aliases == {"production": "1"}
    assert then.stages == {"1": "production", "2": "rejected"}


def test_a_later_challenger_stays_when_an_earlier_one_is_rejected():
    assert replay(*FIRST, *SECOND, ("3", "registered"), ("2", "rejected")).aliases == {"production": "1", "challenger": "3"}


TOLD = {**dict.fromkeys(DECISION_TAGS, "later"), "ct.batch_ids": "1,2", "ct.retrain_text": "It was trained."}


def test_what_a_version_was_told_later_is_forgotten():
    said = description_and_tags("It was trained.\n\nIt was promoted.", TOLD, "2", replay(*FIRST, *SECOND))
    assert said == ("It was trained.", {"ct.batch_ids": "1,2", "ct.retrain_text": "It was trained."})


def test_a_decision_that_was_carried_out_is_kept_with_the_stage_of_then():
    description, tags = description_and_tags("all", {**TOLD, "stage": "previous"}, "1", replay(*FIRST, *SECOND))
    assert (description, tags) == ("all", {**TOLD, "stage": "production"})


def test_a_version_that_the_ledger_does_not_know_is_left_as_it_is():
    assert description_and_tags("by hand", {"stage": "mine"}, "9", replay(*FIRST)) == ("by hand", {"stage": "mine"})


def test_names_stand_beside_the_real_ones(monkeypatch):
    monkeypatch.setenv("CT_MODEL_NAME", "homes")
    monkeypatch.setenv("CT_EXPERIMENT", "trials")
    names = names_of("r1_evaluate-2")
    assert (names.database, names.model, names.experiment) == (
        "scratch_r1_evaluate-2", "homes-scratch-r1_evaluate-2", "trials-scratch-r1_evaluate-2",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["", "A", "a b", "a.b", "-a", "a'b", 'a"b', "a%b", "ä", "a" * 49, "a\n"])
def test_a_name_that_could_be_something_else_is_refused(name):
    with pytest.raises(ContractError, match="is no name for a scratch copy"):
        names_of(name)
