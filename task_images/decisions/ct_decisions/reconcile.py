"""Compare MLflow's aliases with the ledger, and flag in the ledger what was moved by hand.

Nothing is ever moved back: a person may have had a reason, and the pipeline goes on with the aliases as they are. What is
flagged stands in the ledger from then on, so it is flagged once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ct_contract import TaskInput
from ct_store.connection import Connection
from ct_store.ledger import record_event

from ct_decisions.reasons import render
from ct_decisions.registry import CHALLENGER, PREVIOUS, PRODUCTION, Registry
from ct_decisions.standing import MOVED_BY_HAND, OTHER_MOVED_BY_HAND, Standing, standing

log = logging.getLogger(__name__)

CODE = "ALIAS_MOVED_BY_HAND"

ALIASES = (PRODUCTION, PREVIOUS, CHALLENGER)
"""The aliases that the pipeline moves; others are nobody's business."""

_LOCK = 7_223_115
"""Any fixed number: whoever moves the aliases of a model, or compares them with the ledger, holds this lock."""

# A step that was killed has moved aliases and has not said so yet; its next try will. A day is longer than any run takes.
_PENDING = """
SELECT outcome, champion_version, challenger_version FROM audit.decisions AS d
 WHERE (kind, outcome) IN (('promotion', 'promote'), ('promotion', 'reject'), ('approval', 'promote'), ('approval', 'reject'),
                           ('rollback', 'rollback'))
   AND decided_at > clock_timestamp() - interval '1 day'
   AND NOT EXISTS (SELECT FROM audit.model_events AS e
                    WHERE e.event IN ('promoted', 'rejected', 'rolled_back')
                      AND (e.decision_id = d.decision_id
                           OR (e.dag_id, e.run_id, e.model_version) = (d.dag_id, d.run_id, d.challenger_version)))
"""


@dataclass(frozen=True)
class Move:
    """An alias that points elsewhere than the ledger has put it. None: it does not exist."""

    alias: str
    was: str | None
    to: str | None


def hold_aliases(connection: Connection, model_name: str) -> None:
    """Wait until nobody else moves the model's aliases, and keep it so until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))", (_LOCK, model_name))


def read_ledger(connection: Connection, model_name: str) -> list[dict[str, Any]]:
    """Every line about the model, in its order."""
    return connection.execute(
        "SELECT * FROM audit.model_events WHERE model_name = %s ORDER BY event_id", (model_name,)
    ).fetchall()


def moves(then: Standing, now: Mapping[str, str], pending: Iterable[Mapping[str, Any]]) -> list[Move]:
    """The aliases that neither the ledger nor a decision that is being carried out explains.

    ``pending`` are decisions (``outcome``, ``champion_version``, ``challenger_version``) that no event has closed.
    """
    unfinished = list(pending)
    found = []
    for alias in ALIASES:
        move = Move(alias, then.aliases.get(alias), now.get(alias))
        if move.was != move.to and not any(_explains(move, decision) for decision in unfinished):
            found.append(move)
    return found


def _explains(move: Move, decision: Mapping[str, Any]) -> bool:
    """Whether carrying out the decision moves the alias like that."""
    champion, challenger = decision["champion_version"], decision["challenger_version"]
    if move.alias == CHALLENGER:
        return (move.was, move.to) == (challenger, None)
    if decision["outcome"] == "reject":
        return False
    if move.alias == PREVIOUS:
        return champion is not None and move.to == champion
    return (move.was, move.to) == (champion, challenger)


def reconcile(connection: Connection, registry: Registry, payload: TaskInput) -> list[dict[str, Any]]:
    """Flag every alias that was moved by hand, in the ledger and by a warning; the moves that this run has flagged.

    Commits, so that a flag outlives a step that fails after it. Raises TryLaterError if MLflow is away.
    """
    hold_aliases(connection, registry.name)
    ledger = read_ledger(connection, registry.name)
    then = standing(ledger)
    found = moves(then, registry.aliases(), connection.execute(_PENDING).fetchall())
    found = [move for move in found if not _being_registered(registry, then, move)]
    lines: dict[tuple[str, str], list[Move]] = {}
    for move in found:
        log.warning("%s: %s", CODE, sentence(move, "en"))
        event = MOVED_BY_HAND if move.alias == PRODUCTION else OTHER_MOVED_BY_HAND
        lines.setdefault((move.to or str(move.was), event), []).append(move)
    for (version, event), its_moves in lines.items():
        record_event(
            connection,
            dag_id=payload.dag_id,
            run_id=payload.run_id,
            model_name=registry.name,
            model_version=version,
            event=event,
            # MLflow keeps neither who moved an alias nor when: it was after the last line, and before this one.
            details={
                "code": CODE,
                "moves": [asdict(move) for move in its_moves],
                "after": ledger[-1]["happened_at"].isoformat() if ledger else None,
                "noticed_by": payload.task,
            },
        )
    flagged = connection.execute(
        "SELECT details FROM audit.model_events WHERE (dag_id, run_id, model_name) = (%s, %s, %s) AND event = ANY(%s) "
        "ORDER BY event_id",
        (payload.dag_id, payload.run_id, registry.name, [MOVED_BY_HAND, OTHER_MOVED_BY_HAND]),
    ).fetchall()
    connection.commit()
    return [move for line in flagged for move in line["details"]["moves"]]


def sentence(move: Move, language: str) -> str:
    """What is said about a move."""
    return render(
        {
            "kind": "alias", "outcome": "flag", "code": CODE, "champion_version": move.was, "challenger_version": move.to,
            "facts": {"alias": move.alias},
        },
        language,
    )  # fmt: skip


def _being_registered(registry: Registry, then: Standing, move: Move) -> bool:
    """Whether the train step has made the version and has not told the ledger yet."""
    if move.alias != CHALLENGER or move.to is None or move.to in then.registered:
        return False
    version = registry.by_number(move.to)
    return version is not None and "ct.retrain_decision_id" in version.tags
