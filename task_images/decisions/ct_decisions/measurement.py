"""What of a policy is used to measure rather than to judge: evidence that was measured otherwise says nothing about it.

These settings are kept with each decision, so that recorded evidence is judged again only where it would be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct_decisions.policy import Policy

BOOTSTRAP = ("bootstrap.resamples", "bootstrap.confidence", "bootstrap.seed")

TRIAL = ("promotion.load_seconds", "promotion.latency_ms", "promotion.memory_megabytes")
"""A serving trial is stopped at a multiple of these."""

SETTINGS: Mapping[str, Sequence[str]] = {
    "retrain": (*BOOTSTRAP, "retrain.psi_bins", "retrain.classifier_rows", "retrain.classifier_folds"),
    "promotion": (
        *BOOTSTRAP, *TRIAL, "promotion.golden_rows", "promotion.replayed_rows", "promotion.blast_rows", "promotion.blast_move",
    ),
}  # fmt: skip
"""By kind of decision, under the names of `ct_decisions.policy.parameter_names`."""


def measurement(policy: Policy, kind: str) -> dict[str, float]:
    """The settings that a policy measures a decision of this kind with."""
    return {name: getattr(getattr(policy, name.split(".")[0]), name.split(".")[1]) for name in SETTINGS[kind]}


def other_settings(policy: Policy, decision: Mapping[str, Any], measured: Mapping[str, float]) -> list[str]:
    """The settings by which this policy would have measured other evidence than the decision's; empty: the same evidence.

    ``decision`` has its signals and gates, ``measured`` are the settings of its own measurement.
    """
    kind = decision["kind"]
    own = measurement(policy, kind)
    different = [name for name in SETTINGS[kind] if own[name] != measured.get(name)]
    if kind == "retrain" or not different:
        return different
    gates = {gate["name"]: gate for gate in decision["gates"]}
    return [name for name in different if _tells(name, gates, policy, measured)]


def _tells(name: str, gates: Mapping[str, Mapping[str, Any]], policy: Policy, measured: Mapping[str, float]) -> bool:
    """Whether a setting of a promotion that differs has had a part in its evidence."""
    if name in TRIAL:  # what has loaded and answered was not stopped
        return bool(_value(gates, "loading"))
    if name == "promotion.golden_rows":  # used where training kept no requests
        return "golden_answers" in _note(gates, "lineage").get("unknown", ())
    if name == "promotion.replayed_rows":
        asked = _note(gates, "requests").get("replayed", 0)
        return not (asked < measured.get(name, 0) and asked <= policy.promotion.replayed_rows)
    if name == "promotion.blast_rows":
        looked_at = _note(gates, "blast_radius").get("requests", 0)
        same = looked_at < measured.get(name, 0) and looked_at <= policy.promotion.blast_rows
        return policy.promotion.blast_share is not None and not same
    if name == "promotion.blast_move":
        return policy.promotion.blast_share is not None and _note(gates, "blast_radius").get("moved") is not None
    return True


def _value(gates: Mapping[str, Mapping[str, Any]], name: str) -> float:
    return float(gates.get(name, {}).get("value") or 0)


def _note(gates: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    note: Mapping[str, Any] = gates.get(name, {}).get("note") or {}
    return note
