"""Where each model version stands, replayed from the lines of the ledger: aliases and stages. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ct_decisions.registry import CHALLENGER, PREVIOUS, PRODUCTION

ROLLED_BACK = "rolled_back"
"""The event, and the stage, of a version that was taken out of production."""

RESTORED = "restored"
"""The event of the version that a rollback brings back into production."""

MOVED_BY_HAND = "alias_moved_by_hand"
"""The event of aliases that were found where the ledger has not put them; its details have ``moves``."""


@dataclass
class Standing:
    """``aliases`` by name, the ``stages`` of the versions that have one, and the versions that were ``registered``.

    ``withdrawn`` are the versions that were rolled back from and have not been in production since, ``in_rollbacks`` those
    that a rollback took out of production or brought back.
    """

    aliases: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    in_rollbacks: set[str] = field(default_factory=set)


def standing(events: Iterable[Mapping[str, Any]]) -> Standing:
    """Replay lines of audit.model_events (``model_version``, ``event``, ``details``), in their order, of one model."""
    now = Standing()
    for event in events:
        number = event["model_version"]
        if event["event"] in {ROLLED_BACK, RESTORED}:
            now.in_rollbacks.add(number)
        match event["event"]:
            case "registered":
                now.registered.add(number)
                now.aliases[CHALLENGER] = number
            case "demoted":
                now.aliases[PREVIOUS] = number
                now.stages[number] = PREVIOUS
            case "rolled_back":
                now.aliases[PREVIOUS] = number
                now.stages[number] = ROLLED_BACK
                now.withdrawn.add(number)
            case "promoted" | "restored":
                _enter(now, number)
                now.stages[number] = PRODUCTION
                _leave(now, number)
            case "rejected":
                now.stages[number] = "rejected"
                _leave(now, number)
            case "alias_moved_by_hand":
                for move in event["details"]["moves"]:
                    _move(now, move["alias"], move["to"])
    return now


def _enter(now: Standing, number: str) -> None:
    now.aliases[PRODUCTION] = number
    now.withdrawn.discard(number)


def _leave(now: Standing, number: str) -> None:
    if now.aliases.get(CHALLENGER) == number:
        del now.aliases[CHALLENGER]


def _move(now: Standing, alias: str, number: str | None) -> None:
    if number is None:
        now.aliases.pop(alias, None)
    elif alias == PRODUCTION:
        _enter(now, number)
    else:
        now.aliases[alias] = number
