"""A recorded history under another policy: what is decided again, what follows from it, and what cannot be known."""

import importlib.util
import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from ct_decisions import promotion, retrain
from ct_decisions.bootstrap import Estimate
from ct_decisions.compare import compare
from ct_decisions.compare import count as count_changes
from ct_decisions.judging import judge_estimate, judge_value
from ct_decisions.measurement import measurement
from ct_decisions.policy import load_policy
from ct_decisions.redecide import redecide

pytestmark = pytest.mark.unit

SPEC = importlib.util.spec_from_file_location("promotion_gates", Path(__file__).parent / "test_promotion.py")
GATES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(GATES)

STRICT = load_policy("strict")


def changed(part, **values):
    return replace(STRICT, name="other", **{part: replace(getattr(STRICT, part), **values)})


NEVER = changed("retrain", error_ratio=9.0, error_ratio_watch=8.0, volume=9.0)
"""Trains at nothing that these histories hold."""

EAGER = changed("retrain", error_ratio=1.001, error_ratio_watch=1.0005)
PICKY = changed("promotion", minimum_gain=0.5, area_reasons=())


class History:
    """Decisions as the steps record them, one batch after the other, under a policy."""

    def __init__(self, policy=STRICT):
        self.policy = policy
        self.decisions = []
        self.champion = None
        self.numbers = count(0)
        self.versions = count(1)
        self.earlier = []

    def batch(self, ratio=1.0, *, mae=-0.09, author=None, **gates):
        """A batch on which the champion errs ``ratio`` times; if that trains, the challenger's MAE changes by ``mae``."""
        number = next(self.numbers)
        signals = []
        if self.champion is not None:
            signals = [
                judge_estimate(self.policy.retrain, "error_ratio", Estimate(ratio, ratio - 0.01, ratio + 0.01)),
                judge_value(self.policy.retrain, "volume", 0.1),
            ]
        numbers = {"new_rows": 500, "champion_rows": 1000 if self.champion else 0}
        manual = retrain.Manual(author=author, reason="asked") if author else None
        verdict = retrain.decide(
            self.policy.retrain, signals, champion_version=self.champion, **numbers, manual=manual, earlier=self.earlier
        )
        self._add("retrain", number, verdict, signals)
        self.earlier = [] if verdict.outcome == "train" else [signals, *self.earlier][: self.policy.retrain.watches - 1]
        if verdict.outcome == "train":
            self._evaluate(number, verdict.code, mae, gates)
        return self

    def _evaluate(self, number, code, mae, gates):
        challenger = str(next(self.versions))
        change = None if self.champion is None else Estimate(mae, mae - 0.01, mae + 0.01)
        found = GATES.gates(
            self.policy.promotion, mae=change, area=gates.pop("area", Estimate(mae, mae - 0.01, mae + 0.01)), **gates
        )
        verdict = promotion.decide(self.policy.promotion, found, champion_version=self.champion, retrain_code=code)
        self._add("promotion", number, verdict, found, challenger)
        if verdict.outcome == "promote":
            self.production(challenger)

    def production(self, version):
        """The alias moves: by a promotion, by hand, or back."""
        self.champion, self.earlier = version, []
        return self

    def nothing(self, kind, code):
        """A decision that no policy has a part in."""
        self.decisions.append({
            "dag_id": "d", "run_id": f"run {len(self.decisions)}", "kind": kind, "batch_id": None, "outcome": "skip",
            "code": code, "policy_digest": None, "policy_name": None, "policy_version": None, "champion_version": None,
            "challenger_version": None, "facts": {}, "signals": [], "gates": [],
        })  # fmt: skip
        return self

    def _add(self, kind, number, verdict, lines, challenger=None):
        rows = json.loads(json.dumps([line.as_row() for line in lines]))
        self.decisions.append({
            "dag_id": "d", "run_id": f"batch {number}", "kind": kind, "batch_id": number + 10, "outcome": verdict.outcome,
            "code": verdict.code, "champion_version": self.champion, "challenger_version": challenger,
            **{f"policy_{name}": value for name, value in self.policy.identity.items()},
            "facts": json.loads(json.dumps(dict(verdict.facts)))
            | {"batch_number": number, "measurement": measurement(self.policy, kind)},
            "signals": [], "gates": [], ("signals" if kind == "retrain" else "gates"): rows,
        })  # fmt: skip


def told(history, policy, **options):
    """Batch, kind and code of the other policy's answer, for every line."""
    return [
        (line.of["facts"].get("batch_number"), line.kind, line.other.code)
        for line in redecide(history.decisions, policy, **options)
    ]


def test_under_its_own_policy_the_history_is_the_history():
    history = (
        History()
        .batch()
        .batch(1.0)
        .batch(1.07)
        .batch(1.07)
        .batch(1.07, mae=0.1)
        .batch(1.5)
        .nothing("intake", "SKIP_END_OF_DATA")
    )
    assert [d["code"] for d in history.decisions if d["kind"] == "retrain"] == [
        "TRAIN_BOOTSTRAP", "SKIP_NO_MATERIAL_CHANGE", "SKIP_NO_MATERIAL_CHANGE", "SKIP_NO_MATERIAL_CHANGE",
        "TRAIN_PERSISTENT_WATCH", "TRAIN_PERFORMANCE_DEGRADED",
    ]  # fmt: skip
    rows = compare(history.decisions, STRICT)
    assert {row.change for row in rows} == {"same"}
    assert len(rows) == len(history.decisions)
    for row in rows:
        left, right = row.left.decision, row.right.decision
        assert left["facts"] == json.loads(json.dumps(right["facts"]))
        assert [s["verdict"] for s in left["signals"]] == [s["verdict"] for s in right["signals"]]
        assert [g["verdict"] for g in left["gates"]] == [g["verdict"] for g in right["gates"]]


def test_a_training_that_would_not_have_been_leaves_no_challenger_and_another_champion():
    history = History().batch().batch(1.5).batch(1.5).batch(1.0)
    assert told(history, NEVER)[2:] == [
        (1, "retrain", "SKIP_NO_MATERIAL_CHANGE"), (1, "promotion", "NOT_TRAINED"),
        (2, "retrain", "OTHER_CHAMPION"), (2, "promotion", "TRAINING_UNKNOWN"), (3, "retrain", "CHAMPION_UNKNOWN"),
    ]  # fmt: skip
    rows = compare(history.decisions, NEVER)
    assert count_changes(rows) == {"same": 2, "different": 2, "unknown": 3}
    assert rows[4].right.details == {"champion": "1", "recorded": "2"}
    assert rows[6].right.details == {"since": 2}


def test_a_training_that_was_rejected_leaves_the_same_champion_with_or_without_it():
    history = History().batch().batch(1.5, mae=0.1).batch(1.0).batch(1.6)
    answers = told(history, NEVER)
    assert answers[2:5] == [
        (1, "retrain", "SKIP_NO_MATERIAL_CHANGE"), (1, "promotion", "NOT_TRAINED"), (2, "retrain", "SKIP_NO_MATERIAL_CHANGE"),
    ]  # fmt: skip
    assert answers[5][2] == "SKIP_NO_MATERIAL_CHANGE"


def test_a_training_that_would_have_been_has_no_challenger_and_nothing_after_it_is_known():
    history = History().batch().batch(1.03).batch(1.5)
    assert told(history, EAGER)[2:] == [
        (1, "retrain", "TRAIN_PERFORMANCE_DEGRADED"), (1, "promotion", "NO_CHALLENGER"),
        (2, "retrain", "CHAMPION_UNKNOWN"), (2, "promotion", "TRAINING_UNKNOWN"),
    ]  # fmt: skip
    rows = compare(history.decisions, EAGER)
    assert (rows[3].left.outcome, rows[3].left.code, rows[3].change) == ("none", "NOT_TRAINED", "unknown")


def test_another_promotion_leaves_another_champion_until_the_recorded_one_comes_back():
    history = History().batch().batch(1.5)
    assert told(history, PICKY)[3] == (1, "promotion", "REJECT_NOT_BETTER")
    history.production("1").batch(1.0)  # rolled back before the next batch
    assert told(history, PICKY)[4] == (2, "retrain", "SKIP_NO_MATERIAL_CHANGE")


def test_an_alias_that_was_moved_by_hand_was_so_in_both_worlds_as_long_as_they_were_one():
    history = History().batch().batch(1.5).production("1").batch(1.5).production("9").batch(1.0)
    assert {row.change for row in compare(history.decisions, STRICT)} == {"same"}


def test_what_is_certain_without_evidence_is_decided():
    """No champion, or somebody who forced it, trains whatever the signals would have been."""
    no_model = History().batch(baseline=Estimate(-0.5, -0.6, -0.4)).batch(1.0)
    refuses = changed("promotion", baseline_gain=0.9)
    answers = told(no_model, refuses)
    assert answers[1] == (0, "promotion", "REJECT_BELOW_BASELINE")
    assert answers[2:] == [(1, "retrain", "TRAIN_BOOTSTRAP"), (1, "promotion", "NO_CHALLENGER")]
    forced = History().batch().batch(1.5).batch(1.0, author="Ana")
    assert told(forced, PICKY)[4:] == [(2, "retrain", "TRAIN_MANUAL"), (2, "promotion", "OTHER_CHAMPION")]


def test_decisions_that_no_policy_has_a_part_in_are_the_same_in_every_world():
    history = History().batch().batch(1.5).nothing("retrain", "SKIP_INVALID_BATCH").batch(1.5)
    assert told(history, NEVER)[4] == (None, "retrain", "SKIP_INVALID_BATCH")
    assert compare(history.decisions, NEVER)[4].change == "same"


def test_watching_counts_the_verdicts_of_the_other_policy():
    history = History().batch().batch(1.04).batch(1.04).batch(1.04)
    watchful = changed("retrain", error_ratio_watch=1.03)
    assert [code for _, kind, code in told(history, watchful) if kind == "retrain"] == [
        "TRAIN_BOOTSTRAP", "SKIP_NO_MATERIAL_CHANGE", "SKIP_NO_MATERIAL_CHANGE", "TRAIN_PERSISTENT_WATCH",
    ]  # fmt: skip


def test_the_retrain_code_of_the_other_policy_decides_whether_the_new_batch_is_enough():
    degraded = History().batch().batch(1.5, mae=-0.001, area=Estimate(-0.3, -0.4, -0.2))
    assert degraded.decisions[-1]["code"] == "PROMOTE_COVERAGE"
    bulk = changed("retrain", error_ratio=9.0, volume=0.05)
    assert told(degraded, bulk)[2:] == [(1, "retrain", "TRAIN_VOLUME"), (1, "promotion", "REJECT_NOT_BETTER")]


def test_a_hold_that_nobody_was_asked_about_leaves_an_unknown_champion():
    history = History().batch().batch(1.5).batch(1.0)
    asks = changed("promotion", approval=True)
    assert told(history, asks)[1:3] == [(0, "promotion", "HOLD_APPROVAL"), (1, "retrain", "CHAMPION_UNKNOWN")]


def test_what_a_person_answered_counts_where_they_would_have_been_asked_too():
    asks = changed("promotion", approval=True)
    history = History(asks).batch().production("1").batch(1.5).production("2").batch(1.0)
    assert [d["code"] for d in history.decisions if d["kind"] == "promotion"] == ["HOLD_APPROVAL", "HOLD_APPROVAL"]
    assert {row.change for row in compare(history.decisions, asks)} == {"same"}
    assert told(history, STRICT)[1:] == [
        (0, "promotion", "PROMOTE_FIRST_MODEL"), (1, "retrain", "TRAIN_PERFORMANCE_DEGRADED"),
        (1, "promotion", "PROMOTE_BETTER"), (2, "retrain", "SKIP_NO_MATERIAL_CHANGE"),
    ]  # fmt: skip
    # Who rejects at once asks nobody: the approved challenger comes into production in the recorded world alone.
    assert told(history, PICKY)[3:] == [(1, "promotion", "REJECT_NOT_BETTER"), (2, "retrain", "OTHER_CHAMPION")]


def test_evidence_that_was_measured_otherwise_is_not_judged():
    history = History().batch().batch(1.5)
    finer = replace(STRICT, name="finer", bootstrap=replace(STRICT.bootstrap, resamples=2000))
    assert told(history, finer)[:2] == [(0, "retrain", "TRAIN_BOOTSTRAP"), (0, "promotion", "OTHER_MEASUREMENT")]
    assert redecide(history.decisions, finer)[1].other.details == {"settings": ["bootstrap.resamples"]}
    # The serving trial was not stopped, and all requests that there were had been asked: these settings changed nothing.
    assert told(history, changed("promotion", load_seconds=60, golden_rows=50, blast_rows=5))[1][2] == "PROMOTE_FIRST_MODEL"


def test_how_it_was_measured_is_known_from_the_policy_of_then_if_it_was_not_kept():
    history = History().batch()
    for decision in history.decisions:
        del decision["facts"]["measurement"]
    assert told(history, PICKY)[1][2] == "MEASUREMENT_UNKNOWN"
    assert told(history, PICKY, known=[STRICT])[1][2] == "PROMOTE_FIRST_MODEL"


def test_two_policies_are_compared_where_each_comes_to():
    history = History().batch().batch(1.03).batch(1.5)
    rows = compare(history.decisions, EAGER, NEVER)
    found = [(row.batch, row.kind, row.left.code, row.right.code, row.change) for row in rows[2:]]
    assert found == [
        (1, "retrain", "SKIP_NO_MATERIAL_CHANGE", "TRAIN_PERFORMANCE_DEGRADED", "different"),
        (1, "promotion", "NOT_TRAINED", "NO_CHALLENGER", "unknown"),
        (2, "retrain", "SKIP_NO_MATERIAL_CHANGE", "CHAMPION_UNKNOWN", "unknown"),
        (2, "promotion", "NOT_TRAINED", "TRAINING_UNKNOWN", "unknown"),
    ]
