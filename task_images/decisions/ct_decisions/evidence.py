"""What a decision rests on: signals for the retrain decision, gates for the promotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SignalVerdict = Literal["ok", "watch", "fire", "n/a"]
GateVerdict = Literal["pass", "fail", "hold", "n/a"]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One measured effect, with its interval, its limit and what follows from it alone."""

    name: str
    value: float | None
    threshold: float | None
    verdict: SignalVerdict
    ci_low: float | None = None
    ci_high: float | None = None
    feature: str | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """The columns of audit.signals."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One condition of a promotion. ``code`` is the reject code if it fails."""

    name: str
    code: str
    value: float | None
    threshold: float | None
    verdict: GateVerdict
    ci_low: float | None = None
    ci_high: float | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """The columns of audit.gates."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided: outcome and code, and the numbers that its sentence needs beyond the evidence."""

    outcome: str
    code: str
    facts: Mapping[str, Any]
