"""What a decision rests on: signals for the retrain decision, gates for the promotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

SignalVerdict = Literal["ok", "watch", "fire", "n/a"]
GateVerdict = Literal["pass", "fail", "hold", "n/a"]


def key_of(line: Mapping[str, Any]) -> str:
    """The key of a line of evidence: ``name`` or ``name:feature``."""
    return f"{line['name']}:{line['feature']}" if line.get("feature") else str(line["name"])


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

    @property
    def key(self) -> str:
        """What tells it from the other signals of a decision: its name, with its column where it has one."""
        return key_of({"name": self.name, "feature": self.feature})

    def as_row(self) -> dict[str, Any]:
        """The columns of audit.signals."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Signal:
        """The signal that a line of audit.signals keeps."""
        return cls(**{column.name: row[column.name] for column in fields(cls)})


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

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Gate:
        """The gate that a line of audit.gates keeps."""
        return cls(**{column.name: row[column.name] for column in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided: outcome and code, and the numbers that its sentence needs beyond the evidence."""

    outcome: str
    code: str
    facts: Mapping[str, Any]
