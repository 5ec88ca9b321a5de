"""The retrain rules: their order, their edges, what they leave as facts."""

import pytest
from ct_decisions.bootstrap import Estimate
from ct_decisions.policy import load_policy
from ct_decisions.retrain import Manual, decide, judge_estimate, judge_share, not_judged
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

POLICY = load_policy("strict").retrain


def quiet():
    return [
        judge_estimate(POLICY, "error_ratio", Estimate(1.0, 0.95, 1.05)),
        judge_estimate(POLICY, "log_bias", Estimate(0.0, -0.02, 0.02)),
        judge_estimate(POLICY, "interval_coverage", Estimate(0.9, 0.88, 0.92)),
        *(judge_share(POLICY, name, 0.0) for name in ("outside_support", "unseen_status", "unseen_state", "unseen_zip3")),
        judge_share(POLICY, "volume", 0.1),
        judge_share(POLICY, "unsound_answers", 0.0),
    ]


def verdict(signals, **changes):
    usual = {"champion_version": "3", "new_rows": 5000, "champion_rows": 20_000}
    return decide(POLICY, signals, **{**usual, **changes})


def with_signal(changed):
    return [changed if signal.name == changed.name else signal for signal in quiet()]


FIRES = [
    (judge_estimate(POLICY, "error_ratio", Estimate(1.2, 1.101, 1.3)), "TRAIN_PERFORMANCE_DEGRADED"),
    (judge_estimate(POLICY, "log_bias", Estimate(-0.2, -0.25, -0.06)), "TRAIN_BIASED"),
    (judge_estimate(POLICY, "log_bias", Estimate(0.11, 0.051, 0.2)), "TRAIN_BIASED"),
    (judge_estimate(POLICY, "interval_coverage", Estimate(0.8, 0.77, 0.849)), "TRAIN_INTERVALS_INVALID"),
    (judge_share(POLICY, "outside_support", 0.05), "TRAIN_TARGET_OUT_OF_SUPPORT"),
    (judge_share(POLICY, "unseen_status", 0.05), "TRAIN_NEW_CATEGORIES"),
    (judge_share(POLICY, "unseen_state", 0.05), "TRAIN_NEW_CATEGORIES"),
    (judge_share(POLICY, "unseen_zip3", 0.10), "TRAIN_NEW_CATEGORIES"),
    (judge_share(POLICY, "volume", 0.50), "TRAIN_VOLUME"),
    (judge_share(POLICY, "unsound_answers", 0.0001), "TRAIN_PERFORMANCE_DEGRADED"),
]


@pytest.mark.parametrize(("signal", "code"), FIRES)
def test_each_signal_fires_its_rule(signal, code):
    found = verdict(with_signal(signal))
    assert (found.outcome, found.code, found.facts["fired"]) == ("train", code, [signal.name])


NEAR = [
    judge_estimate(POLICY, "error_ratio", Estimate(1.3, 1.10, 1.5)),
    judge_estimate(POLICY, "log_bias", Estimate(0.3, 0.04, 0.5)),
    judge_estimate(POLICY, "log_bias", Estimate(0.099, 0.09, 0.11)),
    judge_estimate(POLICY, "interval_coverage", Estimate(0.8, 0.70, 0.85)),
    judge_share(POLICY, "outside_support", 0.0499),
    judge_share(POLICY, "volume", 0.4999),
]


@pytest.mark.parametrize("signal", NEAR)
def test_what_is_not_proven_or_just_below_does_not_fire(signal):
    found = verdict(with_signal(signal))
    assert (found.outcome, found.code) == ("skip", "SKIP_NO_MATERIAL_CHANGE")
    assert found.facts["closest"]["signal"] == signal.name


def test_the_order_of_the_rules():
    loud = [signal for signal, _ in FIRES if signal.name != "log_bias"] + [FIRES[1][0]]
    assert verdict(loud, champion_version=None).code == "TRAIN_BOOTSTRAP"
    assert verdict(loud, manual=Manual(author="Ana", reason="x"), new_rows=0).code == "TRAIN_MANUAL"
    assert verdict(loud, new_rows=0).code == "SKIP_NO_NEW_DATA"
    assert verdict(loud, new_rows=99).code == "SKIP_INSUFFICIENT_EVIDENCE"
    assert verdict(loud, new_rows=150, champion_rows=40_000).code == "SKIP_INSUFFICIENT_EVIDENCE"
    found = verdict(loud)
    assert found.code == "TRAIN_PERFORMANCE_DEGRADED"
    assert found.facts["fired"][:3] == ["error_ratio", "unsound_answers", "log_bias"]


def test_batch_3_of_the_class_stream_is_evidence_enough_at_every_scale():
    for new_rows, champion_rows in ((4055, 398_701), (405, 39_870), (189, 17_935)):
        assert verdict(with_signal(FIRES[0][0]), new_rows=new_rows, champion_rows=champion_rows).outcome == "train"


@given(st.floats(0.5, 3), st.floats(0, 1), st.floats(0, 1))
def test_a_worse_error_never_turns_training_into_skipping(value, below, more):
    low = value - below
    before = verdict(with_signal(judge_estimate(POLICY, "error_ratio", Estimate(value, low, value + 0.1))))
    worse = verdict(with_signal(judge_estimate(POLICY, "error_ratio", Estimate(value + more, low + more, value + more + 0.1))))
    assert not (before.outcome == "train" and worse.outcome == "skip")


def test_how_near_a_signal_came_is_measured_by_the_bound_that_decides():
    def reached(signal):
        closest = verdict(with_signal(signal)).facts["closest"]
        assert closest["signal"] == signal.name
        return closest["reached"]

    assert reached(judge_estimate(POLICY, "error_ratio", Estimate(1.2, 1.08, 1.3))) == pytest.approx(0.8)
    assert reached(judge_estimate(POLICY, "log_bias", Estimate(-0.3, -0.5, -0.04))) == pytest.approx(0.8)
    assert reached(judge_estimate(POLICY, "log_bias", Estimate(0.09, 0.08, 0.1))) == pytest.approx(0.9)
    assert reached(judge_estimate(POLICY, "interval_coverage", Estimate(0.8, 0.7, 0.86))) == pytest.approx(0.8)
    assert reached(judge_share(POLICY, "volume", 0.4)) == pytest.approx(0.8)


def test_a_champion_at_rest_is_near_no_limit():
    calm = [signal for signal in quiet() if signal.name != "volume"]
    assert verdict(calm).facts["closest"]["reached"] == 0


def test_a_signal_that_could_not_be_measured_decides_nothing():
    for name in ("error_ratio", "log_bias", "interval_coverage"):
        assert verdict(with_signal(not_judged(POLICY, name))).code == "SKIP_NO_MATERIAL_CHANGE"


@given(st.permutations(range(9)), st.sets(st.sampled_from([code for _, code in FIRES])))
def test_the_order_in_which_signals_arrive_changes_nothing(order, loud):
    fired = {signal.name: signal for signal, code in FIRES if code in loud}
    signals = [fired.get(signal.name, signal) for signal in quiet()]
    assert verdict([signals[i] for i in order]).code == verdict(signals).code
