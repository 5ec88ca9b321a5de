"""Gates about the artefact rather than its errors: where it comes from, what it takes, and whether it can be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_decisions.evidence import Gate, GateVerdict
from ct_decisions.policy import PromotionPolicy


@dataclass(frozen=True, kw_only=True)
class ServingTrial:
    """What a fresh process of the serving environment measured with the model's files.

    ``parity`` is the largest relative difference from the answers in training (None without any), ``repeatability`` that
    between asking twice, and together or one by one. Everything but ``load_error`` is None if the model does not load.
    """

    load_error: str | None = None
    load_seconds: float | None = None
    requests: int = 0
    failed: int | None = None
    first_error: str | None = None
    latency_ms: float | None = None
    peak_megabytes: float | None = None
    parity: float | None = None
    repeatability: float | None = None
    golden: int = 0
    replayed: int = 0


def lineage(policy: PromotionPolicy, unknown: Sequence[str]) -> Gate:
    """Everything that the policy asks for is known: who wants to train the model again can.

    ``unknown`` are all of `ct_decisions.policy_checks.LINEAGE` that are not known, whether the policy asks for them or not.
    """
    missing = [name for name in policy.lineage if name in unknown]
    note = {"unknown": list(unknown)} | ({"missing": missing} if missing else {})
    return _count("lineage", "REJECT_LINEAGE_INCOMPLETE", len(missing), note)


def leakage(shared_homes: int) -> Gate:
    """No home may stand on both sides of the split."""
    return _count("leakage", "REJECT_LEAKAGE", shared_homes)


def identifiers(columns: Sequence[str]) -> Gate:
    """No input may identify a home or hold its price."""
    return _count("identifiers", "REJECT_LEAKAGE", len(columns), {"values": list(columns)} if columns else {})


def signature(problems: Sequence[str] | None) -> Gate:
    """The inputs are among those that the API sends, of the same types and optional; None: there is no signature."""
    note: dict[str, Any] = {"absent": True} if problems is None else {"values": list(problems)} if problems else {}
    return _count("signature", "REJECT_SIGNATURE", 1 if problems is None else len(problems), note)


def infrastructure(policy: PromotionPolicy, trial: ServingTrial, libraries: Sequence[str], megabytes: float) -> list[Gate]:
    """The gates of the serving environment.

    ``libraries`` names those whose installed version is not the one that the model asks for; ``megabytes`` is the size of
    the model's files.
    """
    error = {"error": trial.load_error} if trial.load_error else {}
    asked = {"requests": trial.requests, "golden": trial.golden, "replayed": trial.replayed}
    failures = asked | ({"error": trial.first_error} if trial.first_error else {})
    return [
        _count("libraries", "REJECT_INFRA_LOAD", len(libraries), {"values": list(libraries)} if libraries else {}),
        _count("loading", "REJECT_INFRA_LOAD", int(trial.load_error is not None), error),
        at_most("load_seconds", "REJECT_INFRA_LOAD", trial.load_seconds, policy.load_seconds),
        at_most("artifact_size", "REJECT_INFRA_LOAD", megabytes, policy.artifact_megabytes),
        at_most("requests", "REJECT_INFRA_ERROR", trial.failed, 0, failures),
        at_most("latency", "REJECT_INFRA_LATENCY", trial.latency_ms, policy.latency_ms),
        at_most("memory", "REJECT_INFRA_MEMORY", trial.peak_megabytes, policy.memory_megabytes),
        at_most("parity", "REJECT_INFRA_PARITY", trial.parity, policy.parity, {"requests": trial.golden}),
        at_most("repeatability", "REJECT_INFRA_PARITY", trial.repeatability, policy.parity),
    ]


def _count(name: str, code: str, count: int, note: Mapping[str, Any] | None = None) -> Gate:
    return at_most(name, code, count, 0, note)


def at_most(name: str, code: str, value: float | None, limit: float, note: Mapping[str, Any] | None = None) -> Gate:
    """A measurement that passes up to its limit; None could not be measured."""
    verdict: GateVerdict = "n/a" if value is None else "pass" if value <= limit else "fail"
    return Gate(name=name, code=code, value=value, threshold=limit, verdict=verdict, note=note or {})
