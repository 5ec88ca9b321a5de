"""What a person's answer, or its absence, makes of a promotion that was held for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from ct_decisions.evidence import Verdict

Choice = Literal["approve", "reject", "expired"]

CODES: Mapping[Choice, str] = {"approve": "PROMOTE_BY_HUMAN", "reject": "REJECT_BY_HUMAN", "expired": "EXPIRED_APPROVAL"}

LONGEST_COMMENT = 2_000
"""Of a comment, how many characters are kept: it stands in tags, results and tables."""

_BESIDE = ("superiority", "baseline")
"""Gates that are kept beside those that asked, the first that was judged: how good the challenger is."""


class AnswerError(ValueError):
    """An answer that cannot be read; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. ``author`` is empty if nobody answered, ``waited`` the longest wait in seconds, None for no limit."""

    choice: Choice
    author: str
    answered_at: datetime
    comment: str = ""
    waited: float | None = None

    @property
    def outcome(self) -> str:
        """``promote`` or ``reject``."""
        return "promote" if self.choice == "approve" else "reject"


def read_answer(value: Mapping[str, Any]) -> Answer:
    """An answer from plain values: ``answer``, ``author``, ``answered_at`` (ISO 8601), ``comment``, ``timeout_seconds``.

    Raises AnswerError.
    """
    choice: Any = value.get("answer")
    if choice not in get_args(Choice):
        raise AnswerError(f"answer is {choice!r}, expected one of {', '.join(get_args(Choice))}")
    author = _line(value.get("author"))
    if not author and choice != "expired":
        raise AnswerError("author is empty: an answer is somebody's")
    moment = value.get("answered_at")
    try:
        answered_at = datetime.fromisoformat(str(moment))
    except ValueError:
        raise AnswerError(f"answered_at is {moment!r}, expected a time in ISO 8601") from None
    if answered_at.tzinfo is None:
        raise AnswerError(f"answered_at is {moment!r}, expected a time with its zone")
    waited = value.get("timeout_seconds")
    if waited is not None and (isinstance(waited, bool) or not isinstance(waited, (int, float)) or waited <= 0):
        raise AnswerError(f"timeout_seconds is {waited!r}, expected a number above zero")
    return Answer(
        choice=choice, author=author, answered_at=answered_at, comment=_line(value.get("comment")), waited=waited
    )  # fmt: skip


def decide(held: Mapping[str, Any], answer: Answer) -> tuple[Verdict, list[Mapping[str, Any]]]:
    """The decision of the kind ``approval``, and the gates that it keeps: those that asked, and how good the challenger is.

    ``held`` is the promotion's decision with its gates, as `ct_store.ledger` returns it. Facts: those of ``held`` that its
    sentence needs, ``held_decision_id``, ``held_code``, ``author``, ``reason`` (the comment), ``answered_at``, ``waited``.
    """
    facts = {name: held["facts"][name] for name in ("batch_number", "held", "would_be") if name in held["facts"]}
    facts |= {
        "held_decision_id": str(held["decision_id"]), "held_code": held["code"], "author": answer.author,
        "reason": answer.comment, "answered_at": answer.answered_at.isoformat(), "waited": answer.waited,
    }  # fmt: skip
    asked = [gate for gate in held["gates"] if gate["name"] in facts.get("held", ())]
    judged = {gate["name"]: gate for gate in held["gates"] if gate["verdict"] != "n/a"}
    beside = [judged[name] for name in _BESIDE if name in judged][:1]
    return Verdict(outcome=answer.outcome, code=CODES[answer.choice], facts=facts), [*asked, *beside]


def _line(text: Any) -> str:
    """One line, without the full stop that the sentence around it has."""
    words = " ".join(str(text or "").split())
    return words[:LONGEST_COMMENT].rstrip(". ") if len(words) <= LONGEST_COMMENT else words[: LONGEST_COMMENT - 1] + "…"
