"""Take the champion out of production and bring another version back, as a watch decided or as a person asks.

The decision is in the ledger before an alias moves, its two events after, so that a try that was killed is finished by the
next one: a retry, or another rollback.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ct_contract import BadDataError, ContractError, NothingToDoError, TaskInput, TaskResult
from ct_decisions.reasons import render
from ct_decisions.reconcile import hold_aliases, read_ledger, reconcile
from ct_decisions.registry import PREVIOUS, PRODUCTION, Registry, unavailable
from ct_decisions.standing import ROLLED_BACK, WITHDRAWN, standing
from ct_store.connection import Connection, connect
from ct_store.ledger import find_decision, record_decision, record_event, with_evidence

log = logging.getLogger(__name__)

KIND = "rollback"
MANUAL = "ROLLBACK_MANUAL"


def rollback(payload: TaskInput) -> TaskResult:
    """Carry out a watch's decision (``decision_id``), or decide for a person (``author``, ``reason``, ``to``) and do it.

    Without ``to`` a person's rollback goes to the alias ``previous``, unless that version was rolled back from itself.

    Raises BadDataError if nothing may be rolled back to, the decision is unknown or says otherwise, or production has moved
    since; NothingToDoError if ``to`` is in production; TryLaterError if MLflow or PostgreSQL is away.
    """
    from mlflow.exceptions import MlflowException

    registry = Registry()
    try:
        with connect("promote") as connection:
            moved = reconcile(connection, registry, payload)
            decision_id = payload.inputs.get("decision_id")
            decision = _decided(connection, str(decision_id)) if decision_id else _by_hand(connection, payload, registry)
            # What was decided is known before anything moves; the lock went with the transaction.
            connection.commit()
            hold_aliases(connection, registry.name)
            _carry_out(connection, payload, registry, decision)
    except MlflowException as error:
        raise unavailable(error) from error
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="ROLLED_BACK",
        reason=render(decision, "en"),
        summary={
            "model_version": decision["challenger_version"],
            "previous_version": decision["champion_version"],
            "decision_id": str(decision["decision_id"]),
            "decision_code": decision["code"],
            "aliases_moved": moved,
            "reason_es": render(decision, "es"),
        },
    )


def _decided(connection: Connection, decision_id: str) -> dict[str, Any]:
    try:
        key = UUID(decision_id)
    except ValueError:
        key = None
    row = connection.execute("SELECT * FROM audit.decisions WHERE decision_id = %s AND kind = %s", (key, KIND)).fetchone()
    if row is None:
        raise BadDataError(
            "UNKNOWN_DECISION", f"there is no rollback decision {decision_id!r}: run the watch. Nothing was changed."
        )
    if row["outcome"] != "rollback":
        raise BadDataError(
            "NOT_DECIDED", f"decision {decision_id} keeps version {row['champion_version']} in production. Nothing was changed."
        )
    return with_evidence(connection, row)


def _by_hand(connection: Connection, payload: TaskInput, registry: Registry) -> dict[str, Any]:
    """The decision of this run, of an earlier try that did not come to its end, or a new one."""
    author, reason = (str(payload.inputs.get(name) or "").strip() for name in ("author", "reason"))
    if not author or not reason:
        raise ContractError("a rollback by hand needs an author and a reason: both are kept with the decision")
    wanted = str(payload.inputs.get("to") or "").strip() or None
    own = _own(connection, payload)
    if own is not None:
        return own
    hold_aliases(connection, registry.name)
    unfinished = _unfinished(connection, registry)
    if unfinished is not None:
        log.warning("an earlier rollback did not come to its end and is finished first: %s", render(unfinished, "en"))
        _carry_out(connection, payload, registry, unfinished)
        if wanted in (None, unfinished["challenger_version"]):
            return unfinished
    champion = registry.by_alias(PRODUCTION)
    if champion is None:
        raise BadDataError("NO_CHAMPION", f"no version of {registry.name} is in production. Nothing was changed.")
    record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind=KIND,
        outcome="rollback",
        code=MANUAL,
        champion_version=champion.number,
        challenger_version=_target(connection, registry, champion.number, wanted),
        facts={"author": author, "reason": reason, "named": wanted is not None},
    )
    decision = _own(connection, payload)
    if decision is None:
        raise RuntimeError("the decision was recorded and is not there")
    return decision


def _own(connection: Connection, payload: TaskInput) -> dict[str, Any] | None:
    return find_decision(connection, dag_id=payload.dag_id, run_id=payload.run_id, kind=KIND)


def _unfinished(connection: Connection, registry: Registry) -> dict[str, Any] | None:
    """The last rollback that was decided and not carried out, unless production has moved since."""
    row = connection.execute(
        """
        SELECT * FROM audit.decisions AS d
         WHERE kind = %(kind)s AND outcome = 'rollback'
           AND decided_at = (SELECT max(decided_at) FROM audit.decisions WHERE kind = %(kind)s AND outcome = 'rollback')
           AND NOT EXISTS (SELECT FROM audit.model_events AS e
                            WHERE e.model_name = %(model)s AND e.event IN ('promoted', 'rolled_back', 'alias_moved_by_hand')
                              AND e.happened_at > d.decided_at)
        """,
        {"kind": KIND, "model": registry.name},
    ).fetchone()
    if row is None:
        return None
    now = registry.by_alias(PRODUCTION)
    if now is None or now.number not in (row["champion_version"], row["challenger_version"]):
        return None
    return with_evidence(connection, row)


def _target(connection: Connection, registry: Registry, champion: str, wanted: str | None) -> str:
    """The version to go back to. A version that was rolled back from is not gone back to unless it is named."""
    if wanted is not None:
        if wanted == champion:
            raise NothingToDoError(
                "ALREADY_IN_PRODUCTION", f"version {champion} is in production already. Nothing was changed."
            )
        return registry.require(wanted).number
    previous = registry.by_alias(PREVIOUS)
    if previous is None or previous.number == champion:
        raise BadDataError(
            "NO_PREVIOUS_VERSION",
            f"the alias {PREVIOUS} names no version but the one in production ({champion}). Nothing was changed: name the "
            "version to go back to (--to VERSION).",
        )
    if previous.number in standing(read_ledger(connection, registry.name)).withdrawn:
        raise BadDataError(
            "PREVIOUS_WAS_ROLLED_BACK",
            f"version {previous.number}, the previous one, was itself rolled back from; version {champion} is in production. "
            f"Nothing was changed: name the version to go back to (--to VERSION), be it {previous.number}.",
        )
    return previous.number


def _carry_out(connection: Connection, payload: TaskInput, registry: Registry, decision: Mapping[str, Any]) -> None:
    """Move the aliases, tell the versions, and close the decision in the ledger. Repeating it changes nothing."""
    champion, target = decision["champion_version"], decision["challenger_version"]
    key = (decision["decision_id"], ROLLED_BACK)
    line = connection.execute("SELECT FROM audit.model_events WHERE (decision_id, event) = (%s, %s)", key).fetchone()
    if line is not None:
        log.info("this was carried out before; what has happened to the aliases since then is left alone")
        return
    now = registry.by_alias(PRODUCTION)
    if now is None or now.number not in (champion, target):
        raise BadDataError(
            "PRODUCTION_MOVED",
            f"{f'version {now.number}' if now else 'no version'} is in production, and not version {champion}, which was to be "
            "rolled back from. Nothing was changed.",
        )
    registry.require(target)
    # What serves is put right first.
    registry.client.set_registered_model_alias(registry.name, PRODUCTION, target)
    registry.client.set_registered_model_alias(registry.name, PREVIOUS, champion)
    _tell(registry, target, decision, stage=PRODUCTION)
    _tell(registry, champion, decision, stage=WITHDRAWN)
    for number, event, details in (
        (champion, WITHDRAWN, {"code": decision["code"], "rolled_back_to": target}),
        (target, ROLLED_BACK, {"code": decision["code"], "previous": champion}),
    ):
        record_event(
            connection,
            dag_id=payload.dag_id,
            run_id=payload.run_id,
            model_name=registry.name,
            model_version=number,
            event=event,
            decision_id=decision["decision_id"],
            details=details,
        )
    log.info("alias production: version %s, previous: version %s", target, champion)


def _tell(registry: Registry, number: str, decision: Mapping[str, Any], stage: str) -> None:
    """The rollback on a version: tags for programs, and what is said at the end of its description."""
    english, spanish = render(decision, "en"), render(decision, "es")
    tags = {
        "stage": stage,
        "ct.rollback_code": decision["code"],
        "ct.rollback_text": english,
        "ct.rollback_text_es": spanish,
        "ct.rollback_decision_id": str(decision["decision_id"]),
        "ct.rollback_decided_at": decision["decided_at"].isoformat(),
    }
    for key, value in tags.items():
        registry.client.set_model_version_tag(registry.name, number, key, value)
    said = str(registry.client.get_model_version(registry.name, number).description or "")
    added = f"{english}\n\n{spanish}"
    if not said.endswith(added):
        registry.client.update_model_version(registry.name, number, description=f"{said}\n\n{added}".strip())
