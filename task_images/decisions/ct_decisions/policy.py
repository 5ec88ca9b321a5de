"""Policies: every threshold of all decisions, as versioned YAML that is checked when it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from ct_decisions.policy_checks import mistakes

POLICIES = Path(__file__).parent / "policies"
POLICY_VARIABLE = "CT_POLICY"
DEFAULT_POLICY = "strict"


class PolicyError(ValueError):
    """A policy that cannot be used; the message names the file, the key and what is expected."""


@dataclass(frozen=True, kw_only=True)
class BootstrapPolicy:
    """How intervals are made."""

    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class RetrainPolicy:
    """When a new model is trained; each limit is explained in ``policies/strict.yaml``."""

    minimum_rows: int
    minimum_share: float
    least_areas: int
    error_ratio: float
    error_ratio_watch: float
    bias: float
    bias_inner: float
    coverage: float
    outside_support: float
    unseen_status: float
    unseen_state: float
    unseen_zip3: float
    volume: float
    unsound_answers: float
    domain_auc: float
    domain_auc_watch: float
    psi: float
    psi_watch: float
    wasserstein: float
    wasserstein_watch: float
    relied_share: float
    drift_share: float
    schema_changed: float
    watches: int
    psi_bins: int
    classifier_rows: int
    classifier_folds: int


@dataclass(frozen=True, kw_only=True)
class PromotionPolicy:
    """When a challenger becomes the champion; None switches a gate off."""

    least_areas: int
    baseline_gain: float
    minimum_gain: float
    significant: bool
    rmse: float | None
    relative_error: float | None
    bias: float | None
    coverage_low: float | None
    coverage_high: float | None
    area_reasons: tuple[str, ...]
    area_rest: float
    area_rows: int
    lineage: tuple[str, ...]
    load_seconds: float
    artifact_megabytes: float
    latency_ms: float
    memory_megabytes: float
    parity: float
    golden_rows: int
    replayed_rows: int
    too_good_gain: float | None
    too_good_column: float | None
    equity: float | None
    slice_rise: float | None
    slice_rows: int
    slice_areas: int
    coverage_fifth: float | None
    blast_share: float | None
    blast_move: float
    blast_rows: int
    blast_least: int
    approval: bool


@dataclass(frozen=True, kw_only=True)
class RollbackPolicy:
    """When the champion is taken out of production again; None switches a trigger off."""

    window_hours: float
    recent_requests: int
    errors: float | None
    errors_requests: int
    latency_ms: float | None
    latency_ratio: float
    latency_requests: int
    quality: float | None
    quality_rows: int
    quality_areas: int


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A whole policy. ``digest`` is the SHA-256 of its content, whatever its comments and order of keys."""

    name: str
    version: str
    bootstrap: BootstrapPolicy
    retrain: RetrainPolicy
    promotion: PromotionPolicy
    rollback: RollbackPolicy

    @property
    def digest(self) -> str:
        """Hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def identity(self) -> dict[str, str]:
        """What travels with each decision."""
        return {"name": self.name, "version": self.version, "digest": self.digest}


Part = TypeVar("Part")


def load_policy(name_or_path: str | None = None) -> Policy:
    """A shipped policy by name, or one's own by path; ``CT_POLICY`` and then ``strict`` if none is given.

    Raises PolicyError with the key at fault.
    """
    wanted = name_or_path or os.environ.get(POLICY_VARIABLE) or DEFAULT_POLICY
    path = POLICIES / f"{wanted}.yaml"
    if not path.is_file():
        path = Path(wanted)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in POLICIES.glob("*.yaml")))
        raise PolicyError(f"there is no policy {wanted!r}: give one of {known}, or the path of a YAML file")
    return parse_policy(path.read_text(encoding="utf-8"), path.name)


def parse_policy(text: str, source: str) -> Policy:
    """A policy from its YAML. Raises PolicyError with the key at fault; ``source`` names the file in it."""
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"{source} is not YAML: {error}") from error
    return read_policy(content, source)


def read_policy(content: Any, source: str) -> Policy:
    """A policy from plain values. Raises PolicyError with the key at fault; ``source`` names the file in it."""
    if not isinstance(content, Mapping):
        raise PolicyError(f"{source} holds no keys")
    expected = {"name", "version", "bootstrap", "retrain", "promotion", "rollback"}
    _same_keys(set(content), expected, source, "")
    for key in ("name", "version"):
        if not isinstance(content[key], str) or not content[key]:
            raise PolicyError(f"{source}: {key} is {content[key]!r}, expected a text (a version needs quotes)")
    policy = Policy(
        name=content["name"],
        version=content["version"],
        bootstrap=_part(BootstrapPolicy, content["bootstrap"], source, "bootstrap"),
        retrain=_part(RetrainPolicy, content["retrain"], source, "retrain"),
        promotion=_part(PromotionPolicy, content["promotion"], source, "promotion"),
        rollback=_part(RollbackPolicy, content["rollback"], source, "rollback"),
    )
    for mistake in mistakes(policy):
        raise PolicyError(f"{source}: {mistake}")
    return policy


def _part(kind: type[Part], content: Any, source: str, key: str) -> Part:
    if not isinstance(content, Mapping):
        raise PolicyError(f"{source}: {key} holds no keys")
    hints = get_type_hints(kind)
    _same_keys(set(content), set(hints), source, f"{key}.")
    return kind(**{name: _value(hints[name], value, f"{source}: {key}.{name}") for name, value in content.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if hint == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise PolicyError(f"{where} is {value!r}, expected a list of codes")
    if hint is bool:
        if isinstance(value, bool):
            return value
        raise PolicyError(f"{where} is {value!r}, expected true or false")
    if value is None and hint == float | None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise PolicyError(f"{where} is {value!r}, expected a number that is not negative")
    if hint is int:
        if int(value) != value:
            raise PolicyError(f"{where} is {value!r}, expected a whole number")
        return int(value)
    return float(value)


def _same_keys(found: set[Any], expected: set[str], source: str, prefix: str) -> None:
    for unknown in sorted(map(str, found - expected)):
        raise PolicyError(f"{source}: {prefix}{unknown} is unknown, expected {', '.join(sorted(expected))}")
    for absent in sorted(expected - found):
        raise PolicyError(f"{source}: {prefix}{absent} is missing")


def parameter_names() -> list[str]:
    """Every threshold by its dotted name, for the documentation and its test."""
    parts = {"bootstrap": BootstrapPolicy, "retrain": RetrainPolicy, "promotion": PromotionPolicy, "rollback": RollbackPolicy}
    return [f"{part}.{field.name}" for part, kind in parts.items() for field in fields(kind)]
