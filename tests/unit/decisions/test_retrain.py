"""The retrain rules: their order, their edges, what they leave as facts."""

from dataclasses import replace

import pytest
from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge, judge_estimate, judge_value, not_judged, relied
from ct_decisions.policy import load_policy
from ct_decisions.retrain import Manual, decide
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

POLICY = load_policy("strict").retrain


def column(name, value, feature="house_size", **note):
    """A signal of a column that the champion relies on, unless its note says otherwise."""
    return judge_value(POLICY, name, value, {"input": True, "rank": 2, "reliance_before": 0.6} | note, feature)


def quiet():
    return [
        judge_estimate(POLICY, "error_ratio", Estimate(1.0, 0.95, 1.05)),
        judge_estimate(POLICY, "log_bias", Estimate(0.0, -0.02, 0.02)),
        judge_estimate(POLICY, "interval_coverage", Estimate(0.9, 0.88, 0.92)),
        *(judge_value(POLICY, name, 0.0) for name in ("outside_support", "unseen_status", "unseen_state", "unseen_zip3")),
        judge_value(POLICY, "volume", 0.1),
        judge_value(POLICY, "unsound_answers", 0.0),
        judge_estimate(POLICY, "domain_auc", Estimate(0.51, 0.48, 0.54)),
        column("psi", 0.01),
        column("wasserstein", 0.01),
        column("psi", 0.01, feature="bed", reliance_before=0.85),
        judge_value(POLICY, "schema_changed", 0.0),
    ]


def verdict(signals, **changes):
    usual = {"champion_version": "3", "new_rows": 5000, "champion_rows": 20_000}
    return decide(POLICY, signals, **{**usual, **changes})


def with_signal(changed):
    return with_signals(changed)


def with_signals(*changed):
    by_key = {signal.key: signal for signal in changed}
    return [by_key.pop(signal.key, signal) for signal in quiet()] + list(by_key.values())


FIRES = [
    (judge_estimate(POLICY, "error_ratio", Estimate(1.2, 1.101, 1.3)), "TRAIN_PERFORMANCE_DEGRADED"),
    (judge_estimate(POLICY, "log_bias", Estimate(-0.2, -0.25, -0.06)), "TRAIN_BIASED"),
    (judge_estimate(POLICY, "log_bias", Estimate(0.11, 0.051, 0.2)), "TRAIN_BIASED"),
    (judge_estimate(POLICY, "interval_coverage", Estimate(0.8, 0.77, 0.849)), "TRAIN_INTERVALS_INVALID"),
    (judge_value(POLICY, "outside_support", 0.05), "TRAIN_TARGET_OUT_OF_SUPPORT"),
    (judge_value(POLICY, "unseen_status", 0.05), "TRAIN_NEW_CATEGORIES"),
    (judge_value(POLICY, "unseen_state", 0.05), "TRAIN_NEW_CATEGORIES"),
    (judge_value(POLICY, "unseen_zip3", 0.10), "TRAIN_NEW_CATEGORIES"),
    (judge_value(POLICY, "volume", 0.50), "TRAIN_VOLUME"),
    (judge_value(POLICY, "unsound_answers", 0.0001), "TRAIN_PERFORMANCE_DEGRADED"),
    (judge_value(POLICY, "schema_changed", 0.05, {"change": "missing"}), "TRAIN_SCHEMA_CHANGED"),
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
    judge_value(POLICY, "outside_support", 0.0499),
    judge_value(POLICY, "volume", 0.4999),
    judge_value(POLICY, "schema_changed", 0.0499, {"change": "missing"}),
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
    assert reached(judge_value(POLICY, "volume", 0.4)) == pytest.approx(0.8)


def test_a_champion_at_rest_is_near_no_limit():
    calm = [signal for signal in quiet() if signal.name != "volume"]
    assert verdict(calm).facts["closest"]["reached"] == 0


def test_a_signal_that_could_not_be_measured_decides_nothing():
    for name in ("error_ratio", "log_bias", "interval_coverage"):
        assert verdict(with_signal(not_judged(POLICY, name))).code == "SKIP_NO_MATERIAL_CHANGE"


@given(st.permutations(range(len(quiet()))), st.sets(st.sampled_from([code for _, code in FIRES])))
def test_the_order_in_which_signals_arrive_changes_nothing(order, loud):
    fired = {signal.name: signal for signal, code in FIRES if code in loud}
    signals = [fired.get(signal.name, signal) for signal in quiet()]
    assert verdict([signals[i] for i in order]).code == verdict(signals).code


DRIFTED = judge_estimate(POLICY, "domain_auc", Estimate(0.7, 0.651, 0.75))


@pytest.mark.parametrize("name", ["psi", "wasserstein"])
def test_covariate_drift_needs_the_classifier_and_a_column_that_the_champion_relies_on(name):
    found = verdict(with_signals(DRIFTED, column(name, 0.20)))
    assert (found.code, found.facts["fired"]) == ("TRAIN_COVARIATE_DRIFT", ["domain_auc", f"{name}:house_size"])
    for signals in (
        with_signals(DRIFTED),
        with_signals(DRIFTED, column(name, 0.1999)),
        with_signals(column(name, 0.20)),
        with_signals(judge_estimate(POLICY, "domain_auc", Estimate(0.9, 0.65, 0.95)), column(name, 0.20)),
        with_signals(DRIFTED, column(name, 0.9, reliance_before=0.80)),
        with_signals(DRIFTED, column(name, 0.9, feature="price", input=False)),
    ):
        assert verdict(signals).code == "SKIP_NO_MATERIAL_CHANGE"
    loud = with_signals(DRIFTED, column(name, 0.20))
    assert verdict(loud, new_rows=1999, champion_rows=20_000).code == "SKIP_NO_MATERIAL_CHANGE"
    assert verdict(loud, new_rows=2000, champion_rows=20_000).code == "TRAIN_COVARIATE_DRIFT"


def test_a_champion_that_does_not_say_what_it_relies_on_relies_on_its_inputs():
    assert relied(POLICY, judge_value(POLICY, "psi", 0.3, {"input": True}, "bath"))
    assert not relied(POLICY, judge_value(POLICY, "psi", 0.3, {"input": False}, "price"))


def test_the_order_of_the_later_rules():
    loud = [
        DRIFTED,
        column("psi", 0.3),
        judge_value(POLICY, "schema_changed", 0.05, {"change": "missing"}),
        judge_value(POLICY, "volume", 0.5),
    ]
    codes = []
    while True:
        codes.append(verdict(with_signals(*loud)).code)
        if not loud:
            break
        loud.pop(0)
    assert codes == [
        "TRAIN_COVARIATE_DRIFT", "TRAIN_SCHEMA_CHANGED", "TRAIN_SCHEMA_CHANGED", "TRAIN_VOLUME", "SKIP_NO_MATERIAL_CHANGE",
    ]  # fmt: skip


def test_a_column_that_no_model_can_use_fires_nothing():
    found = verdict(with_signal(judge_value(POLICY, "schema_changed", 1.0, {"change": "new", "usable": False})))
    assert found.code == "SKIP_NO_MATERIAL_CHANGE"
    assert found.facts["closest"]["signal"] != "schema_changed"


BANDS = [
    (judge_estimate(POLICY, "error_ratio", Estimate(1.051, 1.001, 1.10)), "watch"),
    (judge_estimate(POLICY, "error_ratio", Estimate(1.30, 1.09, 1.5)), "watch"),
    (judge_estimate(POLICY, "error_ratio", Estimate(1.05, 1.01, 1.09)), "ok"),
    (judge_estimate(POLICY, "error_ratio", Estimate(1.2, 0.99, 1.4)), "ok"),
    (judge_estimate(POLICY, "domain_auc", Estimate(0.64, 0.601, 0.68)), "watch"),
    (judge_estimate(POLICY, "domain_auc", Estimate(0.64, 0.60, 0.68)), "ok"),
    (column("psi", 0.10), "watch"),
    (column("psi", 0.0999), "ok"),
    (column("wasserstein", 0.10), "watch"),
    (column("wasserstein", 0.20), "fire"),
]


@pytest.mark.parametrize(("signal", "expected"), BANDS)
def test_the_edges_of_the_watch_bands(signal, expected):
    assert signal.verdict == expected
    assert signal.note["watch"] == getattr(POLICY, f"{signal.name}_watch")


WATCHES = [signal for signal, expected in BANDS if expected == "watch"]


@pytest.mark.parametrize("signal", WATCHES)
def test_the_third_watch_in_a_row_trains(signal):
    batch = with_signal(signal)
    found = verdict(batch, earlier=[batch])
    assert (found.code, found.facts["watched"]) == ("SKIP_NO_MATERIAL_CHANGE", {signal.key: 2})
    found = verdict(batch, earlier=[batch, batch])
    assert (found.outcome, found.code) == ("train", "TRAIN_PERSISTENT_WATCH")
    assert found.facts["fired"] == found.facts["persistent"] == [signal.key]
    assert verdict(batch, earlier=[batch, quiet(), batch]).outcome == "skip"
    assert verdict(quiet(), earlier=[batch, batch]).outcome == "skip"


def test_three_different_watches_are_no_persistence():
    psi, shift, ratio = (with_signal(WATCHES[i]) for i in (3, 4, 0))
    assert verdict(psi, earlier=[shift, ratio]).outcome == "skip"


def test_watches_of_columns_count_only_where_drift_could_train():
    batch = with_signal(column("psi", 0.15, reliance_before=0.9))
    assert verdict(batch, earlier=[batch, batch]).outcome == "skip"
    batch = with_signal(column("psi", 0.15))
    assert verdict(batch, earlier=[batch, batch], new_rows=1999, champion_rows=20_000).outcome == "skip"
    assert verdict(batch, earlier=[batch, batch], new_rows=2000, champion_rows=20_000).outcome == "train"


@pytest.mark.parametrize("signal", [signal for signal in WATCHES if signal.name != "error_ratio"])
def test_a_batch_whose_homes_were_too_few_for_a_drift_is_no_watch_of_one(signal):
    """Batches that were not trained on count again with the next one, so what is enough today was not always."""
    batch = with_signal(signal)
    early = with_signals(signal, judge_value(POLICY, "volume", 0.099))
    found = verdict(batch, earlier=[batch, early])
    assert (found.outcome, found.facts["watched"]) == ("skip", {signal.key: 2})
    ratio = with_signals(WATCHES[0], judge_value(POLICY, "volume", 0.099))
    assert verdict(ratio, earlier=[ratio, ratio]).outcome == "train", "an error is one in however few homes"


def test_two_watches_of_three_can_be_the_closest_to_a_training():
    batch = with_signal(WATCHES[0])
    found = verdict(batch, earlier=[batch])
    assert found.facts["closest"] == {
        "signal": "error_ratio", "rule": "TRAIN_PERSISTENT_WATCH", "reached": pytest.approx(2 / 3), "batches": 2,
    }  # fmt: skip


def test_drift_is_as_near_as_the_part_that_holds_it_back():
    closest = verdict(with_signals(DRIFTED, column("psi", 0.18))).facts["closest"]
    assert closest == {"signal": "psi:house_size", "rule": "TRAIN_COVARIATE_DRIFT", "reached": pytest.approx(0.9)}
    near = judge_estimate(POLICY, "domain_auc", Estimate(0.66, 0.62, 0.7))
    closest = verdict(with_signals(near, column("wasserstein", 0.5))).facts["closest"]
    assert closest == {"signal": "domain_auc", "rule": "TRAIN_COVARIATE_DRIFT", "reached": pytest.approx(0.8)}


def test_recorded_evidence_can_be_judged_again_under_another_policy():
    from dataclasses import replace

    lenient = replace(POLICY, error_ratio=1.5, psi=0.5)
    for signal, before, after in ((FIRES[0][0], "fire", "watch"), (column("psi", 0.3), "fire", "watch")):
        again = judge(lenient, Signal.from_row(signal.as_row()))
        assert (signal.verdict, again.verdict) == (before, after)
        assert judge(POLICY, again) == signal
    assert [judge(POLICY, Signal.from_row(signal.as_row())) for signal in quiet()] == quiet()
    with pytest.raises(ValueError, match="no limit for the signal 'weather'"):
        judge_value(POLICY, "weather", 1.0)


def test_no_single_signal_that_grows_turns_a_training_into_a_skip():
    """Every share and distance, from nothing to everything, in steps."""
    steps = [i / 50 for i in range(51)]
    for name in ("outside_support", "unseen_state", "volume", "unsound_answers", "schema_changed"):
        outcomes = [verdict(with_signal(judge_value(POLICY, name, value))).outcome for value in steps]
        assert outcomes == sorted(outcomes), name
    for name in ("psi", "wasserstein"):
        outcomes = [verdict(with_signals(DRIFTED, column(name, value))).outcome for value in steps]
        assert outcomes == sorted(outcomes), name


def test_as_many_unsound_answers_as_the_policy_allows_are_allowed():
    lenient = replace(POLICY, unsound_answers=0.02)
    assert [judge_value(lenient, "unsound_answers", share).verdict for share in (0.02, 0.021)] == ["ok", "fire"]


def test_what_rests_on_a_few_zip_codes_is_kept_and_decides_nothing():
    """The nearest of the others is named: a coverage that nobody judged is not the closest to a training."""
    few = [
        judge_estimate(POLICY, "error_ratio", Estimate(3.0, 2.9, 3.1, areas=9)),
        judge_estimate(POLICY, "log_bias", Estimate(-0.5, -0.5, -0.5, areas=1)),
        judge_estimate(POLICY, "interval_coverage", Estimate(0.1, 0.1, 0.1, areas=1)),
        judge_estimate(POLICY, "domain_auc", Estimate(0.99, 0.99, 0.99, areas=2)),
    ]
    found = verdict(with_signals(*few))
    assert (found.code, found.facts["fired"]) == ("SKIP_NO_MATERIAL_CHANGE", [])
    assert found.facts["closest"]["signal"] == "volume"
    enough = judge_estimate(POLICY, "error_ratio", Estimate(3.0, 2.9, 3.1, areas=10))
    assert verdict(with_signals(enough)).code == "TRAIN_PERFORMANCE_DEGRADED"
