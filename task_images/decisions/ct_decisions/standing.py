"""Where each model version stands, replayed from the lines of the ledger: aliases and stages. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ct_decisions.registry import CHALLENGER, PREVIOUS, PRODUCTION

WITHDRAWN = "withdrawn"
"""The event, and the stage, of a version that a rollback takes out of production."""

ROLLED_BACK = "rolled_back"
"""The event of the version that production is rolled back to."""

MOVED_BY_HAND = "alias_moved_by_hand"
"""The event of the version that was found in production and that the ledger had not put there; its details have ``moves``."""

OTHER_MOVED_BY_HAND = "other_alias_moved_by_hand"
"""The same for the other aliases."""


@dataclass
class Standing:
    """``aliases`` by name, the ``stages`` of the versions that have one, and the versions that were ``registered``.

    ``withdrawn`` are the versions that a rollback took out of production and that have not been there since, ``in_rollbacks``
    those that a rollback took out or brought back.
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
        if event["event"] in {WITHDRAWN, ROLLED_BACK}:
            now.in_rollbacks.add(number)
        match event["event"]:
            case "registered":
                now.registered.add(number)
                now.aliases[CHALLENGER] = number
            case "demoted":
                now.aliases[PREVIOUS] = number
                now.stages[number] = PREVIOUS
            case "withdrawn":
                now.aliases[PREVIOUS] = number
                now.stages[number] = WITHDRAWN
                now.withdrawn.add(number)
            case "promoted" | "rolled_back":
                _enter(now, number)
                now.stages[number] = PRODUCTION
                _leave(now, number)
            case "rejected":
                now.stages[number] = "rejected"
                _leave(now, number)
            case "alias_moved_by_hand" | "other_alias_moved_by_hand":
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
