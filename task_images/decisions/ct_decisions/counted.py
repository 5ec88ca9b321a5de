"""What a skip rests on where no signal was measured or none decided: counts, and shares of a batch that is invalid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct_decisions.evidence import key_of


def counted(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lines with ``name``, ``feature``, ``value`` and ``threshold``; empty for every other decision."""
    code, facts = decision["code"], decision.get("facts") or {}
    if code == "SKIP_INSUFFICIENT_EVIDENCE":
        return [_line("new_rows", facts.get("new_rows"), facts.get("required_rows"))]
    if code == "SKIP_NO_NEW_DATA" and decision["kind"] == "retrain":
        return [_line("new_rows", 0, 1)]
    if code in ("SKIP_NO_NEW_DATA", "SKIP_END_OF_DATA"):
        return [_line("new_batches", 0, 1)]
    if code == "SKIP_NO_MATERIAL_CHANGE":
        wanted = (facts.get("closest") or {}).get("signal")
        return [dict(line) for line in decision.get("signals") or () if key_of(line) == wanted]
    if code == "SKIP_INVALID_BATCH":
        return [_failure(line) for line in facts.get("failed") or () if isinstance(line, Mapping)]
    return []


def _failure(line: Mapping[str, Any]) -> dict[str, Any]:
    of_rows = line.get("share") is not None
    value, threshold = (line["share"], line.get("limit")) if of_rows else (line.get("observed"), line.get("least"))
    return _line(str(line.get("expectation")), value, threshold, line.get("column"))


def _line(name: str, value: Any, threshold: Any, feature: str | None = None) -> dict[str, Any]:
    return {"name": name, "feature": feature, "value": value, "threshold": threshold}
