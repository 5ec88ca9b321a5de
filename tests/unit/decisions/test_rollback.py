"""What a rollback rests on: each trigger judged alone, intervals by their definition, and the decision from all of them."""

from dataclasses import replace

import numpy as np
import pytest
from ct_decisions.bootstrap import Estimate
from ct_decisions.policy import load_policy
from ct_decisions.rollback import (
    ERRORS,
    LATENCY,
    NEW_HOMES,
    REAL_PRICES,
    Errors,
    Requests,
    decide,
    errors,
    latency,
    quality,
    quantile_interval,
    share_interval,
)

pytestmark = pytest.mark.unit

POLICY = load_policy("strict").rollback
NOTHING = Requests()
CONFIDENCE = 0.95


def test_the_interval_of_a_share_is_wilsons():
    """The example of Newcombe, Two-sided confidence intervals for the single proportion, 1998: 15 of 148."""
    found = share_interval(15, 148, 0.95)
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.1014, 0.0624, 0.1605)
    assert share_interval(0, 100, 0.95).low == 0
    assert share_interval(100, 100, 0.95).high == 1


def test_the_interval_of_a_quantile_holds_it_as_often_as_it_says():
    """Over 400 samples of 300 latencies with a heavy tail, whose 95th percentile is known."""
    random = np.random.default_rng(7)
    true = float(np.exp(1.6448536))
    held = 0
    for _ in range(400):
        found = quantile_interval(np.exp(random.normal(size=300)).tolist(), 0.95, 0.95)
        assert found.low <= found.value <= found.high
        held += found.low <= true <= found.high
    assert 0.91 <= held / 400 <= 0.995


@pytest.mark.parametrize(
    ("failed", "count", "verdict"),
    [
        (0, 99, "n/a"),
        (99, 99, "n/a"),
        (0, 100, "pass"),
        (2, 100, "pass"),
        (5, 100, "fail"),
        (9, 1000, "pass"),
        (30, 1000, "fail"),
    ],
)
def test_errors_fire_when_their_share_is_provably_above_the_limit(failed, count, verdict):
    gate = errors(POLICY, Requests(count, failed), NOTHING, CONFIDENCE)
    assert (gate.name, gate.code, gate.verdict, gate.threshold) == (ERRORS, "ROLLBACK_ERRORS", verdict, 0.01)
    assert gate.note["requests"] == count


def test_errors_that_the_version_before_made_as_often_are_not_the_champions():
    same = errors(POLICY, Requests(1000, 50), Requests(1000, 50), CONFIDENCE)
    assert (same.verdict, same.threshold, same.note["before"]) == ("pass", 0.05, 0.05)
    assert errors(POLICY, Requests(1000, 50), Requests(1000, 10), CONFIDENCE).verdict == "fail"
    assert errors(POLICY, Requests(1000, 50), Requests(20, 20), CONFIDENCE).verdict == "fail"


@pytest.mark.parametrize(
    ("now", "before", "verdict", "limit"),
    [
        (40.0, None, "pass", 250),
        (400.0, None, "fail", 250),
        (400.0, 300.0, "pass", 600),
        (400.0, 50.0, "fail", 250),
        (4.0, 1.0, "pass", 250),
    ],
)
def test_latency_fires_above_the_limit_and_above_a_multiple_of_the_version_before(now, before, verdict, limit):
    then = NOTHING if before is None else Requests(200, 0, [before] * 200)
    gate = latency(POLICY, Requests(200, 0, [now] * 200), then, CONFIDENCE)
    assert (gate.name, gate.code, gate.verdict, gate.threshold) == (LATENCY, "ROLLBACK_LATENCY", verdict, limit)
    assert latency(POLICY, Requests(200, 0, [now] * 99), then, CONFIDENCE).verdict == "n/a"


def test_a_few_slow_requests_are_no_slow_version():
    slow = [20.0] * 188 + [5000.0] * 12
    gate = latency(POLICY, Requests(200, 0, slow), NOTHING, CONFIDENCE)
    assert gate.value == 5000
    assert gate.ci_low == 20
    assert gate.verdict == "pass"


@pytest.mark.parametrize(
    ("change", "rows", "areas", "verdict"),
    [
        (Estimate(0.12, 0.08, 0.16), 200, 10, "fail"),
        (Estimate(0.12, 0.04, 0.20), 200, 10, "pass"),
        (Estimate(0.12, 0.08, 0.16), 199, 10, "n/a"),
        (Estimate(0.12, 0.08, 0.16), 200, 9, "n/a"),
        (Estimate(-0.30, -0.40, -0.20), 5000, 90, "pass"),
        (None, 5000, 90, "n/a"),
    ],
)
def test_quality_fires_when_the_whole_interval_is_above_the_limit(change, rows, areas, verdict):
    gate = quality(POLICY, NEW_HOMES, Errors(change, rows, areas))
    assert (gate.name, gate.code, gate.verdict, gate.threshold) == (NEW_HOMES, "ROLLBACK_QUALITY", verdict, 0.05)
    assert (gate.note["rows"], gate.note["required"]) == (rows, 200)


def test_a_trigger_that_is_switched_off_is_measured_and_not_judged():
    off = replace(POLICY, errors=None, latency_ms=None, quality=None)
    bad = Requests(500, 400, [9000.0] * 500)
    gates = [
        errors(off, bad, NOTHING, CONFIDENCE), latency(off, bad, Requests(500, 0, [1.0] * 500), CONFIDENCE),
        quality(off, NEW_HOMES, Errors(Estimate(0.5, 0.4, 0.6), 5000, 90)),
    ]  # fmt: skip
    assert [gate.verdict for gate in gates] == ["n/a"] * 3
    assert [gate.value for gate in gates] == [0.8, 9000, 0.5]
    verdict = decide(gates, target="1")
    assert (verdict.outcome, verdict.code, verdict.facts["unjudged"]) == ("keep", "WATCH_NO_EVIDENCE", [])


BAD = errors(POLICY, Requests(1000, 300), NOTHING, CONFIDENCE)
SLOW = latency(POLICY, Requests(200, 0, [900.0] * 200), NOTHING, CONFIDENCE)
WORSE = quality(POLICY, NEW_HOMES, Errors(Estimate(0.2, 0.1, 0.3), 500, 40))
FINE = errors(POLICY, Requests(1000, 0), NOTHING, CONFIDENCE)
UNKNOWN = quality(POLICY, REAL_PRICES, Errors())


@pytest.mark.parametrize(
    ("gates", "target", "refused", "outcome", "code"),
    [
        ([FINE, UNKNOWN], "1", None, "keep", "WATCH_SOUND"),
        ([UNKNOWN], "1", None, "keep", "WATCH_NO_EVIDENCE"),
        ([BAD, SLOW, WORSE], "1", None, "rollback", "ROLLBACK_ERRORS"),
        ([FINE, SLOW, WORSE], "1", None, "rollback", "ROLLBACK_LATENCY"),
        ([FINE, WORSE, UNKNOWN], "1", None, "rollback", "ROLLBACK_QUALITY"),
        ([BAD], None, None, "keep", "WATCH_NO_TARGET"),
        ([BAD], "1", "withdrawn", "keep", "WATCH_NO_TARGET"),
        ([FINE], None, None, "keep", "WATCH_SOUND"),
    ],
)
def test_the_decision(gates, target, refused, outcome, code):
    verdict = decide(gates, target=target, refused=refused)
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert verdict.facts["failed"] == [gate.name for gate in gates if gate.verdict == "fail"]
    assert verdict.facts["unjudged"] == [gate.name for gate in gates if gate is UNKNOWN]
