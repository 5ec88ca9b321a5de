"""Where each model version stood at a moment, from the lines of the ledger: aliases and stages. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ct_decisions.registry import CHALLENGER, PREVIOUS, PRODUCTION

DECISION_TAGS = frozenset({
    "stage", "ct.decision", "ct.decision_id", "ct.reason_code", "ct.reason_text", "ct.reason_text_es", "ct.compared_to",
    "ct.delta_mae", "ct.delta_mae_ci", "ct.eval_digest", "ct.gates", "ct.policy_version", "ct.decided_at",
})  # fmt: skip
"""What a version is told when its promotion decision is carried out."""


@dataclass
class Standing:
    """``aliases`` by name, the ``stages`` of the versions that have one, and the versions that were ``registered``."""

    aliases: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)


def standing(events: Iterable[Mapping[str, Any]]) -> Standing:
    """Replay lines of audit.model_events, in their order, of one model."""
    now = Standing()
    for event in events:
        number = event["model_version"]
        match event["event"]:
            case "registered":
                now.registered.add(number)
                now.aliases[CHALLENGER] = number
            case "demoted":
                now.aliases[PREVIOUS] = number
                now.stages[number] = PREVIOUS
            case "promoted":
                now.aliases[PRODUCTION] = number
                now.stages[number] = PRODUCTION
                _leave(now, number)
            case "rejected":
                now.stages[number] = "rejected"
                _leave(now, number)
    return now


def _leave(now: Standing, number: str) -> None:
    if now.aliases.get(CHALLENGER) == number:
        del now.aliases[CHALLENGER]


def description_and_tags(description: str, tags: Mapping[str, str], number: str, then: Standing) -> tuple[str, dict[str, str]]:
    """What a version said of itself when it stood like that; one that the ledger does not know is left as it is."""
    if number not in then.registered:
        return description, dict(tags)
    stage = then.stages.get(number)
    if stage is None:
        kept = {key: value for key, value in tags.items() if key not in DECISION_TAGS}
        return tags.get("ct.retrain_text", description), kept
    return description, {**tags, "stage": stage}
