"""Whether to train: the rules of the policy, in order, over signals that were all measured before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Signal, Verdict
from ct_decisions.policy import RetrainPolicy

RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TRAIN_PERFORMANCE_DEGRADED", ("error_ratio", "unsound_answers")),
    ("TRAIN_BIASED", ("log_bias",)),
    ("TRAIN_INTERVALS_INVALID", ("interval_coverage",)),
    ("TRAIN_TARGET_OUT_OF_SUPPORT", ("outside_support",)),
    ("TRAIN_NEW_CATEGORIES", ("unseen_status", "unseen_state", "unseen_zip3")),
    ("TRAIN_VOLUME", ("volume",)),
)
"""Codes in the order in which they take the headline, with the signals that fire them."""


NOMINAL_COVERAGE = 0.90
"""What the models' intervals are made for; a signal of their coverage has gone no way to its limit there."""


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Somebody asked for a training."""

    author: str
    reason: str


def judge_estimate(policy: RetrainPolicy, name: str, estimate: Estimate, note: Mapping[str, Any] | None = None) -> Signal:
    """A signal with an interval: it fires only if the whole interval is beyond its limit."""
    if name == "error_ratio":
        limit, fires = policy.error_ratio, estimate.low > policy.error_ratio
    elif name == "log_bias":
        limit = policy.bias
        outside = min(abs(estimate.low), abs(estimate.high)) > policy.bias_inner and estimate.low * estimate.high > 0
        fires = abs(estimate.value) > policy.bias and outside
    elif name == "interval_coverage":
        limit, fires = policy.coverage, estimate.high < policy.coverage
    else:
        raise ValueError(f"there is no rule for an interval of {name}")
    return Signal(
        name=name, value=estimate.value, ci_low=estimate.low, ci_high=estimate.high, threshold=limit,
        verdict="fire" if fires else "ok", note=note or {},
    )  # fmt: skip


def judge_share(policy: RetrainPolicy, name: str, share: float, note: Mapping[str, Any] | None = None) -> Signal:
    """A signal that is a share of rows: it fires from its limit on, where the limit is zero above it."""
    limit: float = getattr(policy, name)
    fires = share >= limit and share > 0
    return Signal(name=name, value=share, threshold=limit, verdict="fire" if fires else "ok", note=note or {})


def not_judged(policy: RetrainPolicy, name: str, note: Mapping[str, Any] | None = None) -> Signal:
    """A signal that could not be measured on these rows."""
    limits = {"error_ratio": policy.error_ratio, "log_bias": policy.bias, "interval_coverage": policy.coverage}
    return Signal(name=name, value=None, threshold=limits[name], verdict="n/a", note=note or {})


def required_rows(policy: RetrainPolicy, champion_rows: int) -> int:
    """How many new homes are evidence enough."""
    return max(policy.minimum_rows, int(policy.minimum_share * champion_rows))


def decide(
    policy: RetrainPolicy,
    signals: Sequence[Signal],
    *,
    champion_version: str | None,
    new_rows: int,
    champion_rows: int,
    manual: Manual | None = None,
) -> Verdict:
    """Train or skip. ``new_rows`` counts homes that were not known before the batch.

    Facts of the verdict: ``fired`` (names of the signals that fired, the headline's first), ``required_rows``, and for
    a skip ``closest`` (the signal nearest to its limit, its rule, and the part of the way to the limit that it has gone).
    """
    by_name = {signal.name: signal for signal in signals}
    fired = [name for _, names in RULES for name in names if name in by_name and by_name[name].verdict == "fire"]
    needed = required_rows(policy, champion_rows)
    facts: dict[str, Any] = {"fired": fired, "required_rows": needed, "new_rows": new_rows, "champion_rows": champion_rows}
    if manual is not None:
        facts |= {"author": manual.author, "reason": manual.reason}
    if champion_version is None:
        return Verdict(outcome="train", code="TRAIN_BOOTSTRAP", facts=facts)
    if manual is not None:
        return Verdict(outcome="train", code="TRAIN_MANUAL", facts=facts)
    if new_rows == 0:
        return Verdict(outcome="skip", code="SKIP_NO_NEW_DATA", facts=facts)
    if new_rows < needed:
        return Verdict(outcome="skip", code="SKIP_INSUFFICIENT_EVIDENCE", facts=facts)
    for code, names in RULES:
        if any(name in fired for name in names):
            return Verdict(outcome="train", code=code, facts=facts)
    return Verdict(outcome="skip", code="SKIP_NO_MATERIAL_CHANGE", facts=facts | {"closest": _closest(policy, signals)})


def _closest(policy: RetrainPolicy, signals: Sequence[Signal]) -> dict[str, Any] | None:
    """The signal nearest to firing; 0 is no change at all, 1 is its limit."""
    judged = [signal for signal in signals if signal.verdict == "ok" and signal.value is not None and signal.threshold]
    if not judged:
        return None
    nearest = max(judged, key=lambda signal: _reached(policy, signal))
    rule = next((code for code, names in RULES if nearest.name in names), None)
    return {"signal": nearest.name, "rule": rule, "reached": _reached(policy, nearest)}


def _reached(policy: RetrainPolicy, signal: Signal) -> float:
    """The part of the way to its limit that a signal has gone, by the bound that decides; between 0 and 1."""
    value, limit = signal.value or 0.0, signal.threshold or 1.0
    low, high = signal.ci_low or 0.0, signal.ci_high or 0.0
    if signal.name == "error_ratio":
        part = (low - 1) / max(limit - 1, 1e-9)
    elif signal.name == "interval_coverage":
        part = (NOMINAL_COVERAGE - high) / max(NOMINAL_COVERAGE - limit, 1e-9)
    elif signal.name == "log_bias":
        proven = min(abs(low), abs(high)) if low * high > 0 else 0.0
        part = min(abs(value) / limit, proven / max(policy.bias_inner, 1e-9))
    else:
        part = value / limit
    return min(max(part, 0.0), 1.0)
