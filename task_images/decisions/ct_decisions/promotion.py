"""Whether to promote: every gate is judged, none is skipped, and the first that fails is the headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Gate, GateVerdict, Verdict
from ct_decisions.policy import PromotionPolicy

NEW_BATCH = "new_batch"
REST = "rest"


@dataclass(frozen=True, kw_only=True)
class SliceChange:
    """The change of the MAE in one slice of the hold-out, with the standard error of clusters (zip codes)."""

    dimension: str
    value: str
    rows: int
    areas: int
    change: float
    standard_error: float


def sound_answers(unsound: int) -> Gate:
    """Every prediction is a finite, positive price inside its interval."""
    return Gate(
        name="sound_answers",
        code="REJECT_UNSOUND_ANSWERS",
        value=unsound,
        threshold=0,
        verdict="pass" if unsound == 0 else "fail",
    )


def floor(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The MAE against the baseline that anyone could compute by hand; None if no answer is sound."""
    return _optional("baseline", "REJECT_BELOW_BASELINE", change, -policy.baseline_gain, lambda c, limit: c.value <= limit)


def superiority(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The MAE against the champion on the same rows; None if there is no champion."""
    limit = -policy.minimum_gain
    if change is None:
        return Gate(name="superiority", code="REJECT_NOT_BETTER", value=None, threshold=limit, verdict="n/a")
    can_prove = change.can_prove(policy.least_areas)
    proven = (can_prove and change.high < 0) or not policy.significant
    better = change.value <= limit and (change.value < 0 or policy.minimum_gain > 0)
    code = "REJECT_WORSE" if can_prove and change.low > 0 else "REJECT_NOT_BETTER"
    note = {"significant": policy.significant} | ({} if can_prove else {"required_areas": policy.least_areas})
    return _estimate("superiority", code, change, limit, passes=better and proven, note=note)


def rmse(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The RMSE may not rise by more than the policy allows."""
    return _optional("rmse", "REJECT_RMSE", change, policy.rmse, lambda c, limit: c.value <= limit)


def relative_error(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """Nor may the mean absolute log error, in which every home counts the same."""
    return _optional("relative_error", "REJECT_RELATIVE_ERROR", change, policy.relative_error, lambda c, limit: c.high <= limit)


def bias(policy: PromotionPolicy, challenger: Estimate | None, champion: Estimate | None) -> Gate:
    """The challenger is not further off than the policy allows, or than the champion is."""
    note = {"champion": champion.value if champion else None}
    if policy.bias is None or challenger is None:
        return _optional("bias", "REJECT_BIAS", challenger, None, None, note=note)
    limit = max(policy.bias, abs(champion.value) if champion else 0.0)
    nearest = 0.0 if challenger.low <= 0 <= challenger.high else min(abs(challenger.low), abs(challenger.high))
    passes = nearest <= limit if challenger.can_prove(policy.least_areas) else None
    return _estimate("bias", "REJECT_BIAS", challenger, limit, passes=passes, note=note)


def equity(policy: PromotionPolicy, statistic: str, challenger: float | None, champion: float | None) -> Gate:
    """PRD (whose ideal is 1) or PRB (0) of the ratio study is no further from its ideal than the champion's.

    Cheap and dear homes are then priced as evenly as before (IAAO, Standard on Ratio Studies, 2013, section 5.6). The legal
    bands are not asked for: asking prices do not meet them.
    """
    ideal = {"prd": 1.0, "prb": 0.0}[statistic]
    if challenger is None or champion is None:
        return Gate(name=statistic, code="REJECT_EQUITY", value=None, threshold=policy.equity, verdict="n/a")
    rise = abs(challenger - ideal) - abs(champion - ideal)
    verdict: GateVerdict = "n/a" if policy.equity is None else "pass" if rise <= policy.equity else "fail"
    return Gate(
        name=statistic, code="REJECT_EQUITY", value=rise, threshold=policy.equity, verdict=verdict,
        note={"challenger": challenger, "champion": champion},
    )  # fmt: skip


def slices(policy: PromotionPolicy, found: Sequence[SliceChange], confidence: float) -> Gate:
    """No slice by inputs or by mean prediction has an MAE that rose provably by more than the policy allows.

    Many slices are looked at, so the lower bounds are Holm's (A simple sequentially rejective multiple test procedure, 1979):
    the worst of k slices is judged at (1 - confidence) / k, the next at (1 - confidence) / (k - 1), and so on to the first
    that is not proven. Slices of too few rows or zip codes are kept in the note and not judged.
    """
    limit = policy.slice_rise
    judged = [part for part in found if part.rows >= policy.slice_rows and part.areas >= policy.slice_areas]
    note: dict[str, Any] = {"judged": len(judged), "slices": [asdict(part) for part in found]}
    if limit is None or not judged:
        return Gate(name="slices", code="REJECT_SLICE", value=None, threshold=limit, verdict="n/a", note=note)
    ordered = sorted(judged, key=lambda part: -_excess(part, limit))
    worst, bound = ordered[0], _holm_bound(ordered[0], confidence, len(ordered))
    failed = []
    for position, part in enumerate(ordered):
        lower = _holm_bound(part, confidence, len(ordered) - position)
        if lower <= limit:
            break
        failed.append({"dimension": part.dimension, "value": part.value, "lower": lower})
    note |= {"dimension": worst.dimension, "value": worst.value, "rows": worst.rows, "failed": failed}
    return Gate(
        name="slices", code="REJECT_SLICE", value=worst.change, ci_low=bound, threshold=limit,
        verdict="fail" if failed else "pass", note=note,
    )  # fmt: skip


def _excess(part: SliceChange, limit: float) -> float:
    """By how many standard errors a slice is beyond the limit."""
    return (part.change - limit) / max(part.standard_error, 1e-12)


def _holm_bound(part: SliceChange, confidence: float, remaining: int) -> float:
    return part.change - NormalDist().inv_cdf(1 - (1 - confidence) / remaining) * part.standard_error


def interval_fifths(policy: PromotionPolicy, coverages: Sequence[Estimate]) -> Gate:
    """The 90 % interval holds in each fifth of the predicted price; ``coverages`` are those of the fifths, cheapest first.

    A fifth of too few zip codes is kept in the note and not judged.
    """
    name, code, limit = "interval_fifths", "REJECT_INTERVALS", policy.coverage_fifth
    note: dict[str, Any] = {"fifths": [asdict(coverage) for coverage in coverages]}
    judged = [item for item in enumerate(coverages, start=1) if item[1].can_prove(policy.least_areas)]
    if not judged or limit is None:
        return Gate(name=name, code=code, value=None, threshold=limit, verdict="n/a", note=note)
    position, lowest = min(judged, key=lambda item: item[1].high)
    note |= {"fifth": position, "coverages": [coverage.value for coverage in coverages]}
    return _estimate(name, code, lowest, limit, passes=lowest.high >= limit, note=note)


def too_good(policy: PromotionPolicy, challenger: float | None, champion: float | None) -> Gate:
    """R2 of log price rose by no more than is usual, on hold-out rows of batches that the champion knows.

    Elsewhere a champion may be arbitrarily bad: new price ranges raise R2 by much without a leak.
    """
    rise = None if challenger is None or champion is None else challenger - champion
    return _hold("too_good", "HOLD_TOO_GOOD", rise, policy.too_good_gain)


def single_column(policy: PromotionPolicy, column: str | None, r2: float | None) -> Gate:
    """No input alone explains the log price: such a column would hold the answer."""
    return _hold("single_column", "HOLD_TOO_GOOD", r2, policy.too_good_column, {"values": [column]} if column else {})


def blast_radius(policy: PromotionPolicy, moved: float | None, requests: int) -> Gate:
    """The share of recent requests whose answer would move by much."""
    note = {"requests": requests, "move": policy.blast_move, "moved": moved}
    enough = moved if requests >= policy.blast_least else None
    return _hold("blast_radius", "HOLD_APPROVAL_BLAST", enough, policy.blast_share, note)


def approval(policy: PromotionPolicy) -> Gate:
    """A person is asked for every promotion, if the policy says so."""
    verdict: GateVerdict = "hold" if policy.approval else "n/a"
    return Gate(name="approval", code="HOLD_APPROVAL", value=float(policy.approval), threshold=0, verdict=verdict)


def intervals(policy: PromotionPolicy, coverage: Estimate | None, calibration_rows: int | None = None) -> Gate:
    """The 90 % interval holds what it says, as far as the hold-out can tell.

    Intervals that were fitted on n homes cover level ± sqrt(level (1 - level) / n) by the luck of these homes (Vovk,
    Conditional validity of inductive conformal predictors, 2012). Too wide by no more than that luck is no fault; too
    narrow is, because people rely on it.
    """
    if policy.coverage_low is None or policy.coverage_high is None or coverage is None:
        return _optional("intervals", "REJECT_INTERVALS", coverage, None, None, note={"calibration_rows": calibration_rows})
    level = (policy.coverage_low + policy.coverage_high) / 2
    luck = 1.96 * sqrt(level * (1 - level) / calibration_rows) if calibration_rows else 0.0
    highest = min(policy.coverage_high + luck, 1.0)
    holds = coverage.high >= policy.coverage_low and coverage.low <= highest if coverage.can_prove(policy.least_areas) else None
    note = {"highest": highest, "calibration_rows": calibration_rows}
    return _estimate("intervals", "REJECT_INTERVALS", coverage, policy.coverage_low, passes=holds, note=note)


def area(policy: PromotionPolicy, change: Estimate | None, rows: int) -> Gate:
    """The MAE on the new batch's part of the hold-out; counts only where a gain there is enough."""
    note = {"rows": rows, "required_rows": policy.area_rows, "required_areas": policy.least_areas}
    if change is None:
        return Gate(name=NEW_BATCH, code="REJECT_NOT_BETTER", value=None, threshold=0, verdict="n/a", note=note)
    enough = rows >= policy.area_rows and change.can_prove(policy.least_areas)
    proven = change.high < 0 if enough else None
    return _estimate(NEW_BATCH, "REJECT_NOT_BETTER", change, 0, passes=proven, note=note)


def rest(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The MAE on all other rows; counts only where a gain on the new batch is enough."""
    if change is not None and not change.can_prove(policy.least_areas):
        note = {"required_areas": policy.least_areas}
        return _estimate(REST, "REJECT_WORSE", change, policy.area_rest, passes=None, note=note)
    return _optional(REST, "REJECT_WORSE", change, policy.area_rest, lambda c, limit: c.high <= limit)


def decide(policy: PromotionPolicy, gates: Sequence[Gate], *, champion_version: str | None, retrain_code: str) -> Verdict:
    """Promote, reject, or hold for a person's approval what would be promoted otherwise.

    Facts: ``failed`` (names of all gates that failed, the headline's first), ``retrain_code``, ``area`` where a gain on
    the new batch alone was enough, ``area_failed`` (gates) where it could have been and was not, ``held`` (gates that ask
    for a person), and for a hold ``would_be`` (the code without them).
    """
    side = (NEW_BATCH, REST)
    failed = [gate for gate in gates if gate.verdict == "fail" and gate.name not in side]
    held = [gate for gate in gates if gate.verdict == "hold"]
    facts: dict[str, Any] = {"failed": [gate.name for gate in failed], "retrain_code": retrain_code}
    if held:
        facts["held"] = [gate.name for gate in held]
    code = "PROMOTE_FIRST_MODEL" if champion_version is None else "PROMOTE_BETTER"
    if failed:
        missing = _missing_for_area(policy, gates, failed, retrain_code)
        if missing is None or missing:
            return Verdict(outcome="reject", code=failed[0].code, facts=facts | ({"area_failed": missing} if missing else {}))
        code, facts = "PROMOTE_COVERAGE", facts | {"area": True}
    if held:
        return Verdict(outcome="hold", code=held[0].code, facts=facts | {"would_be": code})
    return Verdict(outcome="promote", code=code, facts=facts)


def _missing_for_area(
    policy: PromotionPolicy, gates: Sequence[Gate], failed: Sequence[Gate], retrain_code: str
) -> list[str] | None:
    """What a gain on the new batch alone lacks to be enough; None where it can never be."""
    if [gate.name for gate in failed] != ["superiority"] or retrain_code not in policy.area_reasons:
        return None
    by_name: Mapping[str, Gate] = {gate.name: gate for gate in gates}
    return [name for name in (NEW_BATCH, REST) if name not in by_name or by_name[name].verdict != "pass"]


def _hold(name: str, code: str, value: float | None, limit: float | None, note: Mapping[str, Any] | None = None) -> Gate:
    verdict: GateVerdict = "n/a" if value is None or limit is None else "pass" if value <= limit else "hold"
    return Gate(name=name, code=code, value=value, threshold=limit, verdict=verdict, note=note or {})


def _estimate(
    name: str,
    code: str,
    estimate: Estimate,
    limit: float | None,
    *,
    passes: bool | None,
    note: Mapping[str, Any] | None = None,
) -> Gate:
    verdict: GateVerdict = "n/a" if passes is None else "pass" if passes else "fail"
    areas = {} if estimate.areas is None else {"areas": estimate.areas}
    return Gate(
        name=name, code=code, value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, threshold=limit,
        verdict=verdict, note={**(note or {}), **areas},
    )  # fmt: skip


def _optional(
    name: str, code: str, change: Estimate | None, limit: float | None, passes: Any, *, note: Mapping[str, Any] | None = None
) -> Gate:
    if change is None:
        return Gate(name=name, code=code, value=None, threshold=limit, verdict="n/a", note=note or {})
    return _estimate(name, code, change, limit, passes=None if limit is None else bool(passes(change, limit)), note=note)
