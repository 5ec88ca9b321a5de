"""What follows from one signal alone: its limits under a policy, and on which side of them it lies.

Measurement and judgement are apart, so that evidence that was recorded can be judged again under another policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Signal, SignalVerdict
from ct_decisions.policy import RetrainPolicy
from ct_decisions.rules import DRIFT_OF_COLUMNS, WATCHED

_LIMITS = {"log_bias": "bias", "interval_coverage": "coverage"}
"""Keys of the policy that are not called as their signal."""

PROVEN_BY_INTERVAL = ("error_ratio", "log_bias", "interval_coverage", "domain_auc")
"""Signals that are judged by their interval, and so not where it rests on too few zip codes."""


def judge(policy: RetrainPolicy, signal: Signal) -> Signal:
    """The same evidence with this policy's limit and verdict; ``note.watch`` is the lower edge of its watch band.

    Raises ValueError for a signal that no policy has a limit for.
    """
    key = _LIMITS.get(signal.name, signal.name)
    if not hasattr(policy, key):
        raise ValueError(f"the policy has no limit for the signal {signal.name!r}")
    limit = float(getattr(policy, key))
    note = dict(signal.note)
    if signal.name in PROVEN_BY_INTERVAL and note.get("areas") is not None:
        note["required_areas"] = policy.least_areas
    if signal.name in WATCHED:
        note["watch"] = getattr(policy, f"{signal.name}_watch")
    return replace(signal, threshold=limit, note=note, verdict=_verdict(policy, signal, limit))


def _verdict(policy: RetrainPolicy, signal: Signal, limit: float) -> SignalVerdict:
    if signal.value is None:
        return "n/a"
    if signal.name in PROVEN_BY_INTERVAL:
        if signal.ci_low is None or signal.ci_high is None:
            return "n/a"
        estimate = Estimate(signal.value, signal.ci_low, signal.ci_high, signal.note.get("areas"))
        return _by_interval(policy, signal.name, estimate, limit) if estimate.can_prove(policy.least_areas) else "n/a"
    if signal.name in DRIFT_OF_COLUMNS:
        watch: float = getattr(policy, f"{signal.name}_watch")
        return "fire" if signal.value >= limit else "watch" if signal.value >= watch else "ok"
    if signal.name == "unsound_answers":  # the limit is the most that is allowed
        return "fire" if signal.value > limit else "ok"
    return "fire" if matters(signal, limit) and signal.value >= limit and signal.value > 0 else "ok"


def _by_interval(policy: RetrainPolicy, name: str, estimate: Estimate, limit: float) -> SignalVerdict:
    """A signal fires only if its whole interval is beyond the limit."""
    if name == "error_ratio":
        watched = estimate.value > policy.error_ratio_watch and estimate.low > 1
        return "fire" if estimate.low > limit else "watch" if watched else "ok"
    if name == "domain_auc":
        return "fire" if estimate.low > limit else "watch" if estimate.low > policy.domain_auc_watch else "ok"
    if name == "interval_coverage":
        return "fire" if estimate.high < limit else "ok"
    outside = min(abs(estimate.low), abs(estimate.high)) > policy.bias_inner and estimate.low * estimate.high > 0
    return "fire" if abs(estimate.value) > limit and outside else "ok"


def judge_estimate(policy: RetrainPolicy, name: str, estimate: Estimate, note: Mapping[str, Any] | None = None) -> Signal:
    """A judged signal with an interval; ``note.areas`` says on how many zip codes it rests."""
    areas = {} if estimate.areas is None else {"areas": estimate.areas}
    return judge(
        policy,
        Signal(
            name=name, value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, threshold=None, verdict="n/a",
            note={**(note or {}), **areas},
        ),
    )  # fmt: skip


def judge_value(
    policy: RetrainPolicy, name: str, value: float | None, note: Mapping[str, Any] | None = None, feature: str | None = None
) -> Signal:
    """A judged signal without an interval; None is a value that could not be measured."""
    return judge(policy, Signal(name=name, value=value, threshold=None, verdict="n/a", feature=feature, note=note or {}))


def not_judged(policy: RetrainPolicy, name: str, note: Mapping[str, Any] | None = None) -> Signal:
    """A signal that could not be measured on these rows."""
    return judge_value(policy, name, None, note)


def matters(signal: Signal, limit: float) -> bool:
    """Whether a model that is trained now could be any different for it.

    Not for a column that no model of the data set uses (``note.usable``), nor for a form of a column that the champion
    was trained on in as many rows as the limit says (``note.known``).
    """
    known = signal.note.get("known")
    return signal.note.get("usable") is not False and (known is None or bool(known < limit))


def relied(policy: RetrainPolicy, signal: Signal) -> bool:
    """Whether the champion relies on the signal's column: one of those that together hold the policy's share of its SHAP.

    ``note.reliance_before`` is the share of all columns of higher rank. Where the champion does not say what it relies
    on, every column that it is given counts; the price never does, for it is the answer.
    """
    if not signal.note.get("input"):
        return False
    before = signal.note.get("reliance_before")
    return before is None or bool(before < policy.relied_share)
