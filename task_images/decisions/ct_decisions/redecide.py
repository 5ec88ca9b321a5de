"""The recorded history decided again under another policy, from its evidence alone: nothing is measured or trained.

Decisions follow from each other. Where the other policy would have left another champion, or would have trained where
nothing was trained, later evidence is about a world that it would not have seen: such a decision is not made again, and an
obstacle says why. What is certain without the evidence (there is no champion, somebody forced a training) is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ct_decisions import promotion, retrain
from ct_decisions.evidence import Gate, Signal, Verdict
from ct_decisions.judging import judge
from ct_decisions.measurement import measurement, other_settings
from ct_decisions.policy import Policy
from ct_decisions.regating import EvidenceNotKeptError, judge_again

NOT_TRAINED = "NOT_TRAINED"
"""There would be no challenger to decide about, which is an answer; all others are reasons why there is none."""

NO_CHALLENGER = "NO_CHALLENGER"
OTHER_CHAMPION = "OTHER_CHAMPION"
CHAMPION_UNKNOWN = "CHAMPION_UNKNOWN"
TRAINING_UNKNOWN = "TRAINING_UNKNOWN"
OTHER_MEASUREMENT = "OTHER_MEASUREMENT"
MEASUREMENT_UNKNOWN = "MEASUREMENT_UNKNOWN"
EVIDENCE_NOT_KEPT = "EVIDENCE_NOT_KEPT"

Decision = Mapping[str, Any]
"""As `ct_store.ledger.with_evidence` returns it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was or would be decided: a decision that `ct_decisions.reasons.render` can write, or an obstacle and its details."""

    decision: Decision | None = None
    obstacle: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether it is certain."""
        return self.decision is not None or self.obstacle == NOT_TRAINED

    @property
    def outcome(self) -> str:
        """The outcome of the decision, "none" without a challenger, empty if it is not known."""
        return str(self.decision["outcome"]) if self.decision else "none" if self.is_known else ""

    @property
    def code(self) -> str:
        """The code of the decision or of the obstacle."""
        return str(self.decision["code"]) if self.decision else self.obstacle


@dataclass(frozen=True, kw_only=True)
class Line:
    """One decision of the history; ``recorded`` is none for a promotion that only the other policy would come to."""

    of: Decision
    kind: str
    recorded: Answer
    other: Answer


@dataclass
class _Production:
    """The champion of both worlds. Once the other's is not known, ``since`` is the batch from which on.

    ``held`` waits for a person in the recorded world only: if it comes into production, it does so in that world alone.
    """

    recorded: str | None = None
    other: str | None = None
    is_known: bool = True
    since: Any = None
    held: str | None = None

    def meet(self, champion: str | None) -> None:
        """A recorded decision met this champion: an alias that was moved by hand or rolled back was so in both worlds."""
        if champion != self.recorded:
            if self.is_same and champion != self.held:
                self.other = champion
            self.recorded = champion
        self.held = None

    def lose(self, decision: Decision) -> None:
        """From here on nobody knows what the other policy would have in production."""
        if self.is_known:
            self.is_known, self.since = False, batch_of(decision)

    @property
    def is_same(self) -> bool:
        return self.is_known and self.other == self.recorded


def batch_of(decision: Decision) -> Any:
    """The number of the batch that a decision is about, or None."""
    return (decision.get("facts") or {}).get("batch_number")


def redecide(history: Sequence[Decision], policy: Policy, known: Sequence[Policy] = ()) -> list[Line]:
    """Decide the history (in the order in which it was made) again under ``policy``.

    ``known`` are policies by whose digest the settings of a measurement are known where they were not kept.
    """
    return list(_Replay(policy, known).lines(history))


class _Replay:
    def __init__(self, policy: Policy, known: Sequence[Policy]) -> None:
        self.policy = policy
        self.known = {other.digest: other for other in (*known, policy)}
        self.production = _Production()
        self.trained: dict[tuple[str, str], Answer] = {}
        self.assessed: dict[tuple[str | None, int], tuple[str, list[Signal]]] = {}

    def lines(self, history: Sequence[Decision]) -> Iterator[Line]:
        for decision in history:
            if decision["kind"] not in ("intake", "retrain", "promotion"):
                continue
            if decision["policy_digest"] is None:  # the end of data, an invalid batch: no policy has a part in it
                same = Answer(decision=decision)
                yield Line(of=decision, kind=decision["kind"], recorded=same, other=same)
                continue
            self.production.meet(decision["champion_version"])
            yield from self._retrain(decision) if decision["kind"] == "retrain" else self._promotion(decision)

    def _retrain(self, decision: Decision) -> Iterator[Line]:
        answer = self._retrain_answer(decision)
        self.trained[_run(decision)] = answer
        yield Line(of=decision, kind="retrain", recorded=Answer(decision=decision), other=answer)
        if not answer.is_known:
            self.production.lose(decision)
        elif answer.outcome == "train" and decision["outcome"] != "train":
            other = Answer(obstacle=NO_CHALLENGER)
            yield Line(of=decision, kind="promotion", recorded=Answer(obstacle=NOT_TRAINED), other=other)
            self.production.lose(decision)

    def _retrain_answer(self, decision: Decision) -> Answer:
        facts, production = decision["facts"], self.production
        manual = None
        if facts.get("author") is not None:
            manual = retrain.Manual(author=str(facts["author"]), reason=str(facts.get("reason") or ""))
        numbers = {"new_rows": facts.get("new_rows"), "champion_rows": facts.get("champion_rows")}
        if None in numbers.values():
            return Answer(obstacle=EVIDENCE_NOT_KEPT, details={"missing": [n for n, v in numbers.items() if v is None]})
        certain = production.is_known and (production.other is None or manual is not None)
        if not production.is_same and not certain:
            return self._no_evidence()
        found: list[Signal] = []
        if production.is_same:
            obstacle = self._measured_otherwise(decision)
            if obstacle is not None:
                return obstacle
            try:
                found = [judge(self.policy.retrain, Signal.from_row(row)) for row in decision["signals"]]
            except ValueError as error:
                return Answer(obstacle=EVIDENCE_NOT_KEPT, details={"missing": [str(error)]})
        verdict = retrain.decide(
            self.policy.retrain,
            found,
            champion_version=production.other,
            **numbers,
            manual=manual,
            earlier=self._earlier(decision),
        )
        if found:
            self.assessed[production.other, decision["batch_id"]] = (verdict.outcome, found)
        if not production.is_same:  # the numbers are those of the recorded champion
            told = {name: verdict.facts[name] for name in ("author", "reason") if name in verdict.facts}
            verdict = Verdict(outcome=verdict.outcome, code=verdict.code, facts=told)
        return Answer(decision=self._decided(decision, verdict, "signals", [signal.as_row() for signal in found]))

    def _earlier(self, decision: Decision) -> list[list[Signal]]:
        """As assess finds them: batches before with the same champion, the last one first, back to its last training."""
        before = sorted(
            (batch for champion, batch in self.assessed if champion == self.production.other and batch < decision["batch_id"]),
            reverse=True,
        )
        signals: list[list[Signal]] = []
        for batch in before[: self.policy.retrain.watches - 1]:
            outcome, found = self.assessed[self.production.other, batch]
            if outcome == "train":
                break
            signals.append(found)
        return signals

    def _promotion(self, decision: Decision) -> Iterator[Line]:
        production, promoted = self.production, decision["outcome"] == "promote"
        answer = self._promotion_answer(decision)
        yield Line(of=decision, kind="promotion", recorded=Answer(decision=decision), other=answer)
        was_same = production.is_same
        if promoted:
            production.recorded = decision["challenger_version"]
        if decision["outcome"] == "hold" and answer.outcome != "hold":
            production.held = decision["challenger_version"]
        if answer.outcome == "promote":
            production.other = decision["challenger_version"]
        elif answer.obstacle == NOT_TRAINED or answer.outcome == "reject":
            pass
        elif answer.outcome == "hold" and decision["outcome"] == "hold" and was_same:
            pass  # what came of it is the same in both worlds, and the next decision shows it
        else:
            production.lose(decision)

    def _promotion_answer(self, decision: Decision) -> Answer:
        training = self.trained.get(_run(decision))
        if training is not None and not training.is_known:
            return Answer(obstacle=TRAINING_UNKNOWN, details=training.details)
        if training is not None and training.outcome != "train":
            return Answer(obstacle=NOT_TRAINED)
        if not self.production.is_same:
            return self._no_evidence()
        obstacle = self._measured_otherwise(decision)
        if obstacle is not None:
            return obstacle
        try:
            gates = [judge_again(self.policy, Gate.from_row(row)) for row in decision["gates"]]
        except EvidenceNotKeptError as error:
            return Answer(obstacle=EVIDENCE_NOT_KEPT, details={"missing": [str(error)]})
        code = training.code if training is not None else str(decision["facts"].get("retrain_code") or "")
        verdict = promotion.decide(self.policy.promotion, gates, champion_version=self.production.other, retrain_code=code)
        return Answer(decision=self._decided(decision, verdict, "gates", [gate.as_row() for gate in gates]))

    def _no_evidence(self) -> Answer:
        production = self.production
        if not production.is_known:
            return Answer(obstacle=CHAMPION_UNKNOWN, details={"since": production.since})
        return Answer(obstacle=OTHER_CHAMPION, details={"champion": production.other, "recorded": production.recorded})

    def _measured_otherwise(self, decision: Decision) -> Answer | None:
        if decision["kind"] == "retrain" and not decision["signals"]:
            return None  # nothing was measured
        measured = decision["facts"].get("measurement")
        if measured is None:
            same = self.known.get(decision["policy_digest"])
            if same is None:
                details = {"policy": f"{decision['policy_name']} {decision['policy_version']}"}
                return Answer(obstacle=MEASUREMENT_UNKNOWN, details=details)
            measured = measurement(same, decision["kind"])
        different = other_settings(self.policy, decision, measured)
        return Answer(obstacle=OTHER_MEASUREMENT, details={"settings": different}) if different else None

    def _decided(self, decision: Decision, verdict: Verdict, evidence: str, rows: list[dict[str, Any]]) -> Decision:
        """The recorded decision with what would be decided in its place."""
        kept = {name: value for name, value in decision["facts"].items() if name in KEPT_FACTS}
        changed = {"outcome": verdict.outcome, "code": verdict.code, "facts": {**verdict.facts, **kept}, evidence: rows}
        policy = {f"policy_{name}": value for name, value in self.policy.identity.items()}
        champion = {"champion_version": self.production.other}
        return {**decision, **policy, **champion, **changed}


KEPT_FACTS = ("batch_number", "rows", "holdout_rows", "compared_rows", "measurement")
"""Facts of a decision that its steps add to the verdict's."""


def _run(decision: Decision) -> tuple[str, str]:
    return decision["dag_id"], decision["run_id"]
