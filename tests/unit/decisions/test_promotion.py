"""The promotion gates: each can fail alone, none hides another, and a gain on the new batch can be enough."""

import pytest
from ct_decisions import promotion
from ct_decisions.bootstrap import Estimate
from ct_decisions.policy import load_policy

pytestmark = pytest.mark.unit

POLICY = load_policy("strict").promotion


def gates(policy=POLICY, **changes):
    values = {
        "leakage": 0, "unsound": 0, "baseline": Estimate(-0.4, -0.5, -0.3), "mae": Estimate(-0.09, -0.12, -0.06),
        "rmse": Estimate(-0.05, -0.08, -0.01), "relative": Estimate(-0.08, -0.10, -0.06), "bias": Estimate(0.01, 0.0, 0.02),
        "champion_bias": Estimate(0.02, 0.01, 0.03), "coverage": Estimate(0.90, 0.89, 0.91),
        "area": Estimate(-0.3, -0.4, -0.2), "area_rows": 500, "rest": Estimate(-0.01, -0.02, 0.0),
    } | changes  # fmt: skip
    return [
        promotion.leakage(values["leakage"]),
        promotion.sound_answers(values["unsound"]),
        promotion.floor(policy, values["baseline"]),
        promotion.superiority(policy, values["mae"]),
        promotion.rmse(policy, values["rmse"]),
        promotion.relative_error(policy, values["relative"]),
        promotion.bias(policy, values["bias"], values["champion_bias"]),
        promotion.intervals(policy, values["coverage"]),
        promotion.area(policy, values["area"], values["area_rows"]),
        promotion.rest(policy, values["rest"]),
    ]


def decide(found, champion="3", retrain_code="TRAIN_VOLUME", policy=POLICY):
    return promotion.decide(policy, found, champion_version=champion, retrain_code=retrain_code)


def test_a_better_model_is_promoted():
    assert decide(gates()).code == "PROMOTE_BETTER"


def test_a_first_model_is_judged_by_the_gates_that_need_no_champion():
    first = gates(mae=None, rmse=None, relative=None, champion_bias=None, area=None, area_rows=0, rest=None)
    assert decide(first, champion=None).code == "PROMOTE_FIRST_MODEL"
    assert {gate.name for gate in first if gate.verdict == "n/a"} == {
        "superiority",
        "rmse",
        "relative_error",
        "new_batch",
        "rest",
    }
    poor = gates(mae=None, rmse=None, relative=None, area=None, area_rows=0, rest=None, baseline=Estimate(-0.05, -0.1, 0))
    assert decide(poor, champion=None).code == "REJECT_BELOW_BASELINE"


FAILS = [
    ({"leakage": 1}, "REJECT_LEAKAGE"),
    ({"unsound": 1}, "REJECT_UNSOUND_ANSWERS"),
    ({"baseline": Estimate(-0.09, -0.2, 0.0)}, "REJECT_BELOW_BASELINE"),
    ({"mae": Estimate(-0.0098, -0.019, 0.0)}, "REJECT_NOT_BETTER"),
    ({"mae": Estimate(-0.05, -0.11, 0.01)}, "REJECT_NOT_BETTER"),
    ({"mae": Estimate(0.05, 0.01, 0.11)}, "REJECT_WORSE"),
    ({"rmse": Estimate(0.021, -0.02, 0.05)}, "REJECT_RMSE"),
    ({"relative": Estimate(0.001, -0.01, 0.011)}, "REJECT_RELATIVE_ERROR"),
    ({"bias": Estimate(-0.06, -0.08, -0.04)}, "REJECT_BIAS"),
    ({"coverage": Estimate(0.85, 0.83, 0.87)}, "REJECT_INTERVALS"),
    ({"coverage": Estimate(0.95, 0.94, 0.96)}, "REJECT_INTERVALS"),
]


@pytest.mark.parametrize(("change", "code"), FAILS)
def test_each_gate_can_fail_alone(change, code):
    found = decide(gates(**change))
    assert (found.outcome, found.code) == ("reject", code)
    assert len(found.facts["failed"]) == 1


def test_all_failing_gates_are_kept_and_the_first_is_the_headline():
    changes = {}
    for change, _ in FAILS:
        changes |= change
    found = decide(gates(**changes))
    assert found.code == "REJECT_LEAKAGE"
    names = ["leakage", "sound_answers", "baseline", "superiority", "rmse", "relative_error", "bias", "intervals"]
    assert found.facts["failed"] == names


NOT_BETTER = {"mae": Estimate(-0.0098, -0.019, 0.0)}


def test_a_gain_on_a_new_area_is_enough_after_a_reason_that_concerns_it():
    assert decide(gates(**NOT_BETTER), retrain_code="TRAIN_NEW_CATEGORIES").code == "PROMOTE_COVERAGE"
    assert decide(gates(**NOT_BETTER), retrain_code="TRAIN_BIASED").code == "PROMOTE_COVERAGE"


@pytest.mark.parametrize(
    "change",
    [
        {"area": Estimate(-0.3, -0.6, 0.01)},
        {"area_rows": 29},
        {"rest": Estimate(0.0, -0.01, 0.011)},
        {"rmse": Estimate(0.03, 0.0, 0.06)},
    ],
)
def test_a_gain_on_a_new_area_must_be_proven_and_cost_nothing_elsewhere(change):
    assert decide(gates(**NOT_BETTER, **change), retrain_code="TRAIN_NEW_CATEGORIES").outcome == "reject"


def test_a_gain_on_a_new_area_does_not_count_after_other_reasons():
    assert decide(gates(**NOT_BETTER), retrain_code="TRAIN_VOLUME").code == "REJECT_NOT_BETTER"


def test_the_rule_of_the_2026_course():
    policy = load_policy("course-2026").promotion
    just = {"mae": Estimate(-0.03, -0.09, 0.03), "rmse": Estimate(0.01, -0.05, 0.07)}
    assert decide(gates(policy, **just), policy=policy).code == "PROMOTE_BETTER"
    assert decide(gates(policy, **just | {"mae": Estimate(-0.0299, -0.09, 0)}), policy=policy).code == "REJECT_NOT_BETTER"
    assert decide(gates(policy, **just | {"rmse": Estimate(0.0101, -0.05, 0.07)}), policy=policy).code == "REJECT_RMSE"


def test_the_2025_course_promotes_any_gain_and_no_tie():
    policy = load_policy("course-2025").promotion
    assert decide(gates(policy, mae=Estimate(-0.0001, -0.1, 0.1)), policy=policy).code == "PROMOTE_BETTER"
    assert decide(gates(policy, mae=Estimate(0.0, -0.1, 0.1)), policy=policy).code == "REJECT_NOT_BETTER"


def test_a_route_by_the_new_batch_that_was_open_and_failed_is_named():
    found = decide(gates(**NOT_BETTER, area_rows=29), retrain_code="TRAIN_BIASED")
    assert found.facts["area_failed"] == ["new_batch"]
    found = decide(gates(**NOT_BETTER, rest=Estimate(0.0, -0.01, 0.011)), retrain_code="TRAIN_BIASED")
    assert found.facts["area_failed"] == ["rest"]
    assert "area_failed" not in decide(gates(**NOT_BETTER), retrain_code="TRAIN_VOLUME").facts


def test_intervals_may_be_wider_by_the_luck_of_few_calibration_rows_and_never_narrower():
    wide, narrow = Estimate(0.946, 0.934, 0.956), Estimate(0.86, 0.84, 0.875)
    assert promotion.intervals(POLICY, wide, 500).verdict == "pass"
    assert promotion.intervals(POLICY, wide, 5000).verdict == "fail"
    assert promotion.intervals(POLICY, narrow, 500).verdict == "fail"
    assert promotion.intervals(POLICY, wide, 500).note["highest"] == pytest.approx(0.9463, abs=1e-4)


def test_without_a_sound_answer_only_the_soundness_is_judged():
    nothing = {
        "unsound": 100, "baseline": None, "mae": None, "rmse": None, "relative": None, "bias": None, "coverage": None,
        "area": None, "area_rows": 0, "rest": None,
    }  # fmt: skip
    found = gates(**nothing)
    assert [gate.name for gate in found if gate.verdict != "n/a"] == ["leakage", "sound_answers"]
    assert decide(found).code == "REJECT_UNSOUND_ANSWERS"
