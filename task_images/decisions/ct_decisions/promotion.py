"""Whether to promote: every gate is judged, none is skipped, and the first that fails is the headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Gate, GateVerdict, Verdict
from ct_decisions.policy import PromotionPolicy

NEW_BATCH = "new_batch"
REST = "rest"


def leakage(shared_homes: int) -> Gate:
    """No home may stand on both sides of the split."""
    return Gate(
        name="leakage", code="REJECT_LEAKAGE", value=shared_homes, threshold=0, verdict="pass" if shared_homes == 0 else "fail"
    )


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
    proven = change.high < 0 or not policy.significant
    better = change.value <= limit and (change.value < 0 or policy.minimum_gain > 0)
    code = "REJECT_WORSE" if change.low > 0 else "REJECT_NOT_BETTER"
    return _estimate("superiority", code, change, limit, passes=better and proven, note={"significant": policy.significant})


def rmse(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The RMSE may not rise by more than the policy allows."""
    return _optional("rmse", "REJECT_RMSE", change, policy.rmse, lambda c, limit: c.value <= limit)


def relative_error(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """Nor may the mean absolute log error, in which every home counts the same."""
    return _optional("relative_error", "REJECT_RELATIVE_ERROR", change, policy.relative_error, lambda c, limit: c.high <= limit)


def bias(policy: PromotionPolicy, challenger: Estimate | None, champion: Estimate | None) -> Gate:
    """The challenger is not further off than the policy allows, or than the champion is."""
    if policy.bias is None or challenger is None:
        return _optional("bias", "REJECT_BIAS", challenger, None, None)
    limit = max(policy.bias, abs(champion.value) if champion else 0.0)
    nearest = 0.0 if challenger.low <= 0 <= challenger.high else min(abs(challenger.low), abs(challenger.high))
    return _estimate("bias", "REJECT_BIAS", challenger, limit, passes=nearest <= limit)


def intervals(policy: PromotionPolicy, coverage: Estimate | None, calibration_rows: int | None = None) -> Gate:
    """The 90 % interval holds what it says, as far as the hold-out can tell.

    Intervals that were fitted on n homes cover level ± sqrt(level (1 - level) / n) by the luck of these homes (Vovk,
    Conditional validity of inductive conformal predictors, 2012). Too wide by no more than that luck is no fault; too
    narrow is, because people rely on it.
    """
    if policy.coverage_low is None or policy.coverage_high is None or coverage is None:
        return _optional("intervals", "REJECT_INTERVALS", coverage, None, None)
    level = (policy.coverage_low + policy.coverage_high) / 2
    luck = 1.96 * sqrt(level * (1 - level) / calibration_rows) if calibration_rows else 0.0
    highest = min(policy.coverage_high + luck, 1.0)
    holds = coverage.high >= policy.coverage_low and coverage.low <= highest
    note = {"highest": highest, "calibration_rows": calibration_rows}
    return _estimate("intervals", "REJECT_INTERVALS", coverage, policy.coverage_low, passes=holds, note=note)


def area(policy: PromotionPolicy, change: Estimate | None, rows: int) -> Gate:
    """The MAE on the new batch's part of the hold-out; counts only where a gain there is enough."""
    note = {"rows": rows, "required_rows": policy.area_rows}
    if change is None:
        return Gate(name=NEW_BATCH, code="REJECT_NOT_BETTER", value=None, threshold=0, verdict="n/a", note=note)
    proven = None if rows < policy.area_rows else change.high < 0
    return _estimate(NEW_BATCH, "REJECT_NOT_BETTER", change, 0, passes=proven, note=note)


def rest(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The MAE on all other rows; counts only where a gain on the new batch is enough."""
    return _optional(REST, "REJECT_WORSE", change, policy.area_rest, lambda c, limit: c.high <= limit)


def decide(policy: PromotionPolicy, gates: Sequence[Gate], *, champion_version: str | None, retrain_code: str) -> Verdict:
    """Promote or reject.

    Facts: ``failed`` (names of all gates that failed, the headline's first), ``retrain_code``, ``area`` where a gain on
    the new batch alone was enough, and ``area_failed`` (gates) where it could have been and was not.
    """
    side = (NEW_BATCH, REST)
    failed = [gate for gate in gates if gate.verdict == "fail" and gate.name not in side]
    facts: dict[str, Any] = {"failed": [gate.name for gate in failed], "retrain_code": retrain_code}
    if not failed:
        code = "PROMOTE_FIRST_MODEL" if champion_version is None else "PROMOTE_BETTER"
        return Verdict(outcome="promote", code=code, facts=facts)
    by_name: Mapping[str, Gate] = {gate.name: gate for gate in gates}
    if [gate.name for gate in failed] == ["superiority"] and retrain_code in policy.area_reasons:
        missing = [name for name in side if name not in by_name or by_name[name].verdict != "pass"]
        if not missing:
            return Verdict(outcome="promote", code="PROMOTE_COVERAGE", facts=facts | {"area": True})
        facts["area_failed"] = missing
    return Verdict(outcome="reject", code=failed[0].code, facts=facts)


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
    return Gate(
        name=name, code=code, value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, threshold=limit,
        verdict=verdict, note=note or {},
    )  # fmt: skip


def _optional(name: str, code: str, change: Estimate | None, limit: float | None, passes: Any) -> Gate:
    if change is None:
        return Gate(name=name, code=code, value=None, threshold=limit, verdict="n/a")
    return _estimate(name, code, change, limit, passes=None if limit is None else bool(passes(change, limit)))
