"""Two answers to every decision of the history side by side: the recorded ones, or those of a policy, and another policy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ct_decisions.policy import Policy
from ct_decisions.redecide import NOT_TRAINED, TRAINING_UNKNOWN, Answer, Decision, Line, batch_of, redecide

Change = Literal["same", "different", "unknown"]

Key = tuple[str, str, str]
"""DAG, run and kind of a decision."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One decision and both answers."""

    of: Decision
    kind: str
    left: Answer
    right: Answer

    @property
    def change(self) -> Change:
        """Whether outcome and code are the same; unknown where the evidence tells one of them not."""
        if not (self.left.is_known and self.right.is_known):
            return "unknown"
        return "same" if (self.left.outcome, self.left.code) == (self.right.outcome, self.right.code) else "different"

    @property
    def batch(self) -> Any:
        """The batch's number, or None."""
        return batch_of(self.of)


def compare(history: Sequence[Decision], other: Policy, base: Policy | None = None, known: Sequence[Policy] = ()) -> list[Row]:
    """The history under ``other`` beside what was recorded or, if one is given, beside ``base``.

    ``known`` are policies by whose digest the settings of a measurement are known where they were not kept.
    """
    lines = redecide(history, other, known)
    if base is None:
        return [Row(of=line.of, kind=line.kind, left=line.recorded, right=line.other) for line in lines]
    theirs = {_key(line): line for line in redecide(history, base, known)}
    ours = {_key(line): line for line in lines}
    # A promotion that only one of the two comes to has its place after the retrain decision of its run.
    order = {
        _key_of(decision, kind): place for place, decision in enumerate(history) for kind in (decision["kind"], "promotion")
    }
    keys = sorted({*ours, *theirs}, key=lambda key: (order[key], key[2] == "promotion"))
    return [
        Row(of=(ours.get(key) or theirs[key]).of, kind=key[2], left=_answer(theirs, key), right=_answer(ours, key))
        for key in keys
    ]


def _answer(lines: Mapping[Key, Line], key: Key) -> Answer:
    """One side's answer; a promotion that it did not come to has no challenger, as far as its training is known."""
    if key in lines:
        return lines[key].other
    training = lines[key[0], key[1], "retrain"].other
    return Answer(obstacle=NOT_TRAINED if training.is_known else TRAINING_UNKNOWN)


def _key(line: Line) -> Key:
    return _key_of(line.of, line.kind)


def _key_of(decision: Decision, kind: str) -> Key:
    return decision["dag_id"], decision["run_id"], kind


def count(rows: Sequence[Row]) -> dict[Change, int]:
    """How many decisions are the same, different, and not to be known."""
    found: dict[Change, int] = {"same": 0, "different": 0, "unknown": 0}
    for row in rows:
        found[row.change] += 1
    return found
