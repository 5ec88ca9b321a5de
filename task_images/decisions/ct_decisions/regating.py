"""A recorded gate judged again under another policy, by the same functions that judged it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ct_decisions import promotion, technical
from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Gate
from ct_decisions.policy import Policy


class EvidenceNotKeptError(ValueError):
    """What a gate's verdict needs was not kept with it; the message names the gate."""


def judge_again(policy: Policy, gate: Gate) -> Gate:
    """The same measurement with this policy's limit and verdict. Raises EvidenceNotKeptError if it lacks something."""
    if gate.name in UNLIMITED:
        return gate
    if gate.name in AT_MOST:
        limit = getattr(policy.promotion, AT_MOST[gate.name])
        return technical.at_most(gate.name, gate.code, gate.value, limit, gate.note)
    if gate.name not in AGAIN:
        raise EvidenceNotKeptError(gate.name)
    try:
        return AGAIN[gate.name](policy, gate)
    except KeyError as error:
        raise EvidenceNotKeptError(f"{gate.name} ({error.args[0]})") from error


UNLIMITED = ("leakage", "identifiers", "signature", "libraries", "loading", "requests", "sound_answers")
"""Gates that no policy sets a limit for: any count above zero fails."""

AT_MOST = {
    "load_seconds": "load_seconds", "artifact_size": "artifact_megabytes", "latency": "latency_ms",
    "memory": "memory_megabytes", "parity": "parity", "repeatability": "parity",
}  # fmt: skip
"""Gates of one number, with the key of their limit."""


def _estimate(gate: Gate) -> Estimate | None:
    if gate.value is None or gate.ci_low is None or gate.ci_high is None:
        return None
    return Estimate(gate.value, gate.ci_low, gate.ci_high, gate.note.get("areas"))


def _bias(policy: Policy, gate: Gate) -> Gate:
    value = gate.note["champion"]
    return promotion.bias(policy.promotion, _estimate(gate), None if value is None else Estimate(value, value, value))


def _equity(policy: Policy, gate: Gate) -> Gate:
    return promotion.equity(policy.promotion, gate.name, gate.note.get("challenger"), gate.note.get("champion"))


def _slices(policy: Policy, gate: Gate) -> Gate:
    found = [promotion.SliceChange(**part) for part in gate.note["slices"]]
    return promotion.slices(policy.promotion, found, policy.bootstrap.confidence)


def _fifths(policy: Policy, gate: Gate) -> Gate:
    return promotion.interval_fifths(policy.promotion, [Estimate(**fifth) for fifth in gate.note["fifths"]])


def _single_column(policy: Policy, gate: Gate) -> Gate:
    column: Any = next(iter(gate.note.get("values", ())), None)
    return promotion.single_column(policy.promotion, column, gate.value)


AGAIN: Mapping[str, Callable[[Policy, Gate], Gate]] = {
    "lineage": lambda policy, gate: technical.lineage(policy.promotion, gate.note["unknown"]),
    "baseline": lambda policy, gate: promotion.floor(policy.promotion, _estimate(gate)),
    "superiority": lambda policy, gate: promotion.superiority(policy.promotion, _estimate(gate)),
    "rmse": lambda policy, gate: promotion.rmse(policy.promotion, _estimate(gate)),
    "relative_error": lambda policy, gate: promotion.relative_error(policy.promotion, _estimate(gate)),
    "bias": _bias,
    "prd": _equity,
    "prb": _equity,
    "slices": _slices,
    "intervals": lambda policy, gate: promotion.intervals(policy.promotion, _estimate(gate), gate.note["calibration_rows"]),
    "interval_fifths": _fifths,
    promotion.NEW_BATCH: lambda policy, gate: promotion.area(policy.promotion, _estimate(gate), gate.note["rows"]),
    promotion.REST: lambda policy, gate: promotion.rest(policy.promotion, _estimate(gate)),
    "too_good": lambda policy, gate: promotion.too_good(policy.promotion, gate.value, None if gate.value is None else 0.0),
    "single_column": _single_column,
    "blast_radius": lambda policy, gate: promotion.blast_radius(policy.promotion, gate.note["moved"], gate.note["requests"]),
    "approval": lambda policy, _gate: promotion.approval(policy.promotion),
}
"""By name; a gate that is added to a promotion is added here, and a test fails without it."""
