"""Whether to promote: every gate is judged, none is skipped, and the first that fails is the headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def floor(policy: PromotionPolicy, change: Estimate) -> Gate:
    """The MAE against the baseline that anyone could compute by hand."""
    limit = -policy.baseline_gain
    return _estimate("baseline", "REJECT_BELOW_BASELINE", change, limit, passes=change.value <= limit)


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


def bias(policy: PromotionPolicy, challenger: Estimate, champion: Estimate | None) -> Gate:
    """The challenger is not further off than the policy allows, or than the champion is."""
    if policy.bias is None:
        return Gate(name="bias", code="REJECT_BIAS", value=challenger.value, threshold=None, verdict="n/a")
    limit = max(policy.bias, abs(champion.value) if champion else 0.0)
    nearest = 0.0 if challenger.low <= 0 <= challenger.high else min(abs(challenger.low), abs(challenger.high))
    return _estimate("bias", "REJECT_BIAS", challenger, limit, passes=nearest <= limit)


def intervals(policy: PromotionPolicy, coverage: Estimate) -> Gate:
    """The 90 % interval holds what it says, as far as the hold-out can tell."""
    if policy.coverage_low is None or policy.coverage_high is None:
        return _estimate("intervals", "REJECT_INTERVALS", coverage, None, passes=None)
    holds = coverage.high >= policy.coverage_low and coverage.low <= policy.coverage_high
    return _estimate(
        "intervals", "REJECT_INTERVALS", coverage, policy.coverage_low, passes=holds, note={"highest": policy.coverage_high}
    )


def area(policy: PromotionPolicy, change: Estimate | None, rows: int) -> Gate:
    """The MAE on the new batch's part of the hold-out; counts only where a gain there is enough."""
    if change is None or rows < policy.area_rows:
        return Gate(
            name=NEW_BATCH, code="REJECT_NOT_BETTER", value=change.value if change else None, threshold=0, verdict="n/a",
            note={"rows": rows, "required_rows": policy.area_rows},
        )  # fmt: skip
    return _estimate(NEW_BATCH, "REJECT_NOT_BETTER", change, 0, passes=change.high < 0, note={"rows": rows})


def rest(policy: PromotionPolicy, change: Estimate | None) -> Gate:
    """The MAE on all other rows; counts only where a gain on the new batch is enough."""
    return _optional(REST, "REJECT_WORSE", change, policy.area_rest, lambda c, limit: c.high <= limit)


def decide(policy: PromotionPolicy, gates: Sequence[Gate], *, champion_version: str | None, retrain_code: str) -> Verdict:
    """Promote or reject.

    Facts: ``failed`` (names of all gates that failed, the headline's first), ``retrain_code``, and ``area`` where a gain
    on the new batch alone was enough.
    """
    side = (NEW_BATCH, REST)
    failed = [gate for gate in gates if gate.verdict == "fail" and gate.name not in side]
    facts: dict[str, Any] = {"failed": [gate.name for gate in failed], "retrain_code": retrain_code}
    if not failed:
        code = "PROMOTE_FIRST_MODEL" if champion_version is None else "PROMOTE_BETTER"
        return Verdict(outcome="promote", code=code, facts=facts)
    by_name: Mapping[str, Gate] = {gate.name: gate for gate in gates}
    local_gain = all(name in by_name and by_name[name].verdict == "pass" for name in side)
    if [gate.name for gate in failed] == ["superiority"] and retrain_code in policy.area_reasons and local_gain:
        return Verdict(outcome="promote", code="PROMOTE_COVERAGE", facts=facts | {"area": True})
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
