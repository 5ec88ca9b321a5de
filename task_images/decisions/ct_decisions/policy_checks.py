"""What is wrong with a policy whose keys and types are right: limits that contradict each other, or that no value can reach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from ct_decisions.rules import RULES

if TYPE_CHECKING:
    from ct_decisions.policy import BootstrapPolicy, Policy, PromotionPolicy, RetrainPolicy, RollbackPolicy

LINEAGE = ("code", "image_digest", "data", "seed", "policy", "retrain_decision", "golden_answers")
"""What a policy can ask to be known of a challenger."""

AREA_REASONS = (*(code for code, _ in RULES), "TRAIN_MANUAL")
"""Retrain codes after which a policy can let a gain on the new batch be enough."""

_SHARES = {
    "retrain": (
        "minimum_share", "coverage", "outside_support", "unseen_status", "unseen_state", "unseen_zip3", "unsound_answers",
        "domain_auc", "domain_auc_watch", "relied_share", "schema_changed",
    ),
    "promotion": (
        "baseline_gain", "minimum_gain", "coverage_low", "coverage_high", "coverage_fifth", "too_good_column", "blast_share",
    ),
}  # fmt: skip
_LEAST: dict[str, dict[str, float]] = {
    "bootstrap": {"resamples": 100},
    "retrain": {
        "least_areas": 2, "error_ratio_watch": 1, "domain_auc_watch": 0.5, "watches": 2, "psi_bins": 2, "classifier_rows": 100,
        "classifier_folds": 2,
    },
    "promotion": {"least_areas": 2, "slice_rows": 2, "slice_areas": 2},
    "rollback": {"latency_ratio": 1, "errors_requests": 2, "latency_requests": 2, "quality_rows": 2, "quality_areas": 2},
}  # fmt: skip
_ORDERED = {
    "retrain": [
        *((f"{name}_watch", name) for name in ("error_ratio", "domain_auc", "psi", "wasserstein")),
        ("bias_inner", "bias"),
    ],
    "promotion": [("coverage_low", "coverage_high"), ("blast_least", "blast_rows")],
    "rollback": [("errors_requests", "recent_requests"), ("latency_requests", "recent_requests")],
}


def mistakes(policy: Policy) -> Iterator[str]:
    """Each mistake with its key, its value and what is expected."""
    for name in ("bootstrap", "retrain", "promotion", "rollback"):
        yield from _limits(name, getattr(policy, name))
    yield from chain(_bootstrap(policy.bootstrap), _promotion(policy.promotion), _rollback(policy.rollback))


def _limits(name: str, part: BootstrapPolicy | RetrainPolicy | PromotionPolicy | RollbackPolicy) -> Iterator[str]:
    """Shares, least values and pairs; what is switched off (None) is right."""
    for key in _SHARES.get(name, ()):
        if (value := getattr(part, key)) is not None and value > 1:
            yield f"{name}.{key} is {value:g}, expected a share from 0 to 1"
    for key, least in _LEAST[name].items():
        if (value := getattr(part, key)) < least:
            yield f"{name}.{key} is {value:g}, expected {least:g} or more"
    for below, above in _ORDERED.get(name, ()):
        low, high = getattr(part, below), getattr(part, above)
        if low is not None and high is not None and low > high:
            yield f"{name}.{below} is {_written(low)}, expected no more than {above}, which is {_written(high)}"


def _written(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _bootstrap(policy: BootstrapPolicy) -> Iterator[str]:
    if not 0.5 <= policy.confidence < 1:
        yield f"bootstrap.confidence is {policy.confidence:g}, expected a share from 0.5 to below 1"


def _promotion(policy: PromotionPolicy) -> Iterator[str]:
    for key, known in (("lineage", LINEAGE), ("area_reasons", AREA_REASONS)):
        for unknown in sorted(set(getattr(policy, key)) - set(known)):
            yield f"promotion.{key} names {unknown!r}, expected some of {', '.join(known)}"
    if (policy.coverage_low is None) != (policy.coverage_high is None):
        yield "promotion.coverage_low and coverage_high are two ends of one range, expected both or null for both"


def _rollback(policy: RollbackPolicy) -> Iterator[str]:
    if policy.errors is not None and policy.errors >= 1:
        yield f"rollback.errors is {policy.errors:g}, expected a share below 1"
