"""Whether to train: the rules of the policy, in order, over signals that were all measured before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_decisions.evidence import Signal, Verdict
from ct_decisions.judging import matters, relied
from ct_decisions.policy import RetrainPolicy
from ct_decisions.rules import COVARIATE_DRIFT, DRIFT_OF_COLUMNS, PERSISTENT_WATCH, RULES, WATCHED

NOMINAL_COVERAGE = 0.90
"""What the models' intervals are made for; a signal of their coverage has gone no way to its limit there."""

CHANCE = 0.5
"""The AUC of a classifier that knows nothing."""


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Somebody asked for a training."""

    author: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What the rules look at."""

    policy: RetrainPolicy
    signals: Sequence[Signal]
    watched: Mapping[str, int]
    enough_to_drift: bool

    def fired_by(self, code: str, names: Iterable[str]) -> list[str]:
        """The keys of the signals that fire a rule; empty where it does not fire."""
        if code == PERSISTENT_WATCH:
            return [key for key, count in self.watched.items() if count >= self.policy.watches]
        fires = [signal for name in names for signal in self.signals if signal.name == name and signal.verdict == "fire"]
        if code != COVARIATE_DRIFT:
            return [signal.key for signal in fires]
        columns = [signal.key for signal in fires if signal.name in DRIFT_OF_COLUMNS and relied(self.policy, signal)]
        classifier = [signal.key for signal in fires if signal.name not in DRIFT_OF_COLUMNS]
        return [*classifier, *columns] if classifier and columns and self.enough_to_drift else []


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
    earlier: Sequence[Sequence[Signal]] = (),
) -> Verdict:
    """Train or skip. ``new_rows`` counts homes that were not known before the batch.

    ``earlier`` has the judged signals of the batches before that met the same champion, the last one first, back to the
    last training. Facts of the verdict: ``fired`` (keys of the signals that fired a rule, the headline's first),
    ``watched`` (how many batches in a row each watched signal has been, this one included), ``persistent`` (keys of
    those that train), ``required_rows``, and for a skip ``closest`` (the signal nearest to its limit, its rule, and the
    part of the way to the limit that it has gone).
    """
    enough = new_rows >= policy.drift_share * champion_rows
    case = _Case(
        policy=policy, signals=signals, watched=_watched(policy, signals, earlier, enough), enough_to_drift=enough
    )  # fmt: skip
    fired = {code: case.fired_by(code, names) for code, names in RULES}
    needed = required_rows(policy, champion_rows)
    facts: dict[str, Any] = {
        "fired": list(dict.fromkeys(key for keys in fired.values() for key in keys)),
        "required_rows": needed, "new_rows": new_rows, "champion_rows": champion_rows, "watches": policy.watches,
    }  # fmt: skip
    if case.watched:
        facts["watched"] = dict(case.watched)
    if fired[PERSISTENT_WATCH]:
        facts["persistent"] = fired[PERSISTENT_WATCH]
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
    code = next((code for code, keys in fired.items() if keys), None)
    if code is not None:
        return Verdict(outcome="train", code=code, facts=facts)
    return Verdict(outcome="skip", code="SKIP_NO_MATERIAL_CHANGE", facts=facts | {"closest": _closest(case)})


def _watched(
    policy: RetrainPolicy, signals: Sequence[Signal], earlier: Sequence[Sequence[Signal]], enough_to_drift: bool
) -> dict[str, int]:
    """For how many batches in a row, this one included, each signal has been in its watch band or beyond.

    Of the columns only those that the champion relies on count, and drift only where the homes are enough for it.
    """
    counts = {}
    for signal in signals:
        drift = signal.name != "error_ratio"
        if signal.name not in WATCHED or not _is_watched(signal) or (drift and not enough_to_drift):
            continue
        if signal.name in DRIFT_OF_COLUMNS and not relied(policy, signal):
            continue
        counts[signal.key] = 1
        for before in earlier:
            if drift and not _enough_to_drift(policy, before):
                break
            if not any(other.key == signal.key and _is_watched(other) for other in before):
                break
            counts[signal.key] += 1
    return counts


def _enough_to_drift(policy: RetrainPolicy, signals: Sequence[Signal]) -> bool:
    """Whether the new homes of a batch before were enough for a drift; its volume is their share of the champion's rows."""
    return any(signal.name == "volume" and (signal.value or 0.0) >= policy.drift_share for signal in signals)


def _is_watched(signal: Signal) -> bool:
    return signal.verdict in ("watch", "fire")


def _closest(case: _Case) -> dict[str, Any] | None:
    """What was nearest to a training; 0 is no change at all, 1 is the limit of its rule."""
    found: list[dict[str, Any]] = []
    for code, names in RULES:
        if code == COVARIATE_DRIFT:
            found += _closest_drift(case)
        elif code == PERSISTENT_WATCH:
            found += [
                {"signal": key, "rule": code, "reached": count / case.policy.watches, "batches": count}
                for key, count in case.watched.items()
            ]
        else:
            found += [
                {"signal": signal.key, "rule": code, "reached": _reached(case.policy, signal)}
                for signal in case.signals
                if signal.name in names and signal.verdict != "n/a" and signal.threshold
            ]
    return max(found, key=lambda candidate: float(candidate["reached"]), default=None)


def _closest_drift(case: _Case) -> list[dict[str, Any]]:
    """Covariate drift needs the classifier and a column, so what has gone less far holds the rule back."""
    parts = [
        [s for s in case.signals if s.name == "domain_auc" and s.verdict != "n/a"],
        [s for s in case.signals if s.name in DRIFT_OF_COLUMNS and s.verdict != "n/a" and relied(case.policy, s)],
    ]
    if not case.enough_to_drift or not all(parts):
        return []
    furthest = [max(part, key=lambda signal: _reached(case.policy, signal)) for part in parts]
    nearest = min(furthest, key=lambda signal: _reached(case.policy, signal))
    return [{"signal": nearest.key, "rule": COVARIATE_DRIFT, "reached": _reached(case.policy, nearest)}]


def _reached(policy: RetrainPolicy, signal: Signal) -> float:
    """The part of the way to its limit that a signal has gone, by the bound that decides; between 0 and 1."""
    value, limit = signal.value or 0.0, signal.threshold or 1.0
    low, high = signal.ci_low or 0.0, signal.ci_high or 0.0
    if signal.name == "error_ratio":
        part = (low - 1) / max(limit - 1, 1e-9)
    elif signal.name == "domain_auc":
        part = (low - CHANCE) / max(limit - CHANCE, 1e-9)
    elif signal.name == "interval_coverage":
        part = (NOMINAL_COVERAGE - high) / max(NOMINAL_COVERAGE - limit, 1e-9)
    elif signal.name == "log_bias":
        proven = min(abs(low), abs(high)) if low * high > 0 else 0.0
        part = min(abs(value) / limit, proven / max(policy.bias_inner, 1e-9))
    elif signal.name == "schema_changed" and not matters(signal, limit):
        part = 0.0
    else:
        part = value / limit
    return min(max(part, 0.0), 1.0)
