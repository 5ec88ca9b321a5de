"""What made a batch invalid, in words: each expectation that failed, by how much, with examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct_decisions.texts import Texts


def failures(texts: Texts, facts: Mapping[str, Any]) -> str:
    """The failed expectations of a decision's facts: expectation, share of the rows, examples."""
    parts = []
    for failure in facts.get("failed") or ():
        if not isinstance(failure, Mapping):
            continue
        column, expectation = failure.get("column") or "", failure.get("expectation")
        words = texts.failures.get(column) or texts.failures.get(expectation)
        text = (words.format(column) + ": " if words else "") + f"{column} {expectation}".strip()
        if detail := _failed_by(texts, failure):
            text += f" ({detail})"
        if failure.get("examples"):
            text += f": {', '.join(map(str, list(failure['examples'])[:3]))}"
        parts.append(text)
    return "; ".join(parts) or str(texts.no_reason)


def _failed_by(texts: Texts, failure: Mapping[str, Any]) -> str:
    """By how much: a share against the largest that is allowed, or a number against the least that is needed."""
    detail = []
    if failure.get("share") is not None:
        detail = [texts.percent(failure["share"])]
        if failure.get("limit") is not None:
            detail.append(texts.failed_limit.format(texts.percent(failure["limit"])))
    elif failure.get("observed") is not None and failure.get("least") is not None:
        detail = [texts.whole(failure["observed"]), texts.failed_least.format(texts.whole(failure["least"]))]
    return "; ".join(detail)
