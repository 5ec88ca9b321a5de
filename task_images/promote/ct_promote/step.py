"""Promote or reject a challenger as it was decided. Killed anywhere and run again, it ends in the same state.

The ledger is written first, then MLflow, then the ledger again: what has happened is always known, and nothing is
derived from a state that an earlier try has already changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ct_contract import BadDataError, TaskInput, TaskResult
from ct_decisions.reasons import render
from ct_decisions.reconcile import hold_aliases, reconcile
from ct_decisions.registry import CHALLENGER, PREVIOUS, PRODUCTION, Registry, Version, unavailable
from ct_decisions.version_notes import publish_report, write_notes
from ct_store.connection import Connection, connect
from ct_store.ledger import record_event, record_step, with_evidence
from ct_store.run_evidence import read_run

from ct_promote import approval

log = logging.getLogger(__name__)

OUTCOMES = {"promote": ("promote", "hold"), "reject": ("reject", "hold")}
"""What may have been decided for an action; what is held for a person needs their answer."""


def promote(payload: TaskInput) -> TaskResult:
    """Carry out a decision. ``action`` must be what was decided, or what a person answered (``approval``) to a hold.

    Raises BadDataError if the decision is unknown, says otherwise, is about another version, waits for a person, or if
    production has moved on since; TryLaterError if MLflow or PostgreSQL is away.
    """
    from mlflow.exceptions import MlflowException

    action: str = payload.require("action", str)
    number: str = payload.require("model_version", str)
    registry = Registry()
    try:
        with connect("promote") as connection:
            moved = reconcile(connection, registry, payload)
            hold_aliases(connection, registry.name)
            decision = _decision(connection, payload.require("decision_id", str), action, number)
            previous: str | None = decision["champion_version"]
            if decision["outcome"] == "hold":
                decision = approval.settle(
                    connection, payload, decision, action, lambda: _refuse_if_moved(registry, number, previous)
                )
                # The answer was recorded by a commit, with which the lock went.
                hold_aliases(connection, registry.name)
            if _carried_out(connection, payload, decision, "promoted" if action == "promote" else "rejected"):
                log.info("this was carried out before; what has happened to the aliases since then is left alone")
            else:
                carry_out = _promote if action == "promote" else _reject
                carry_out(connection, payload, registry, registry.require(number), decision)
                record_step(
                    connection, dag_id=payload.dag_id, run_id=payload.run_id, step="promote", batch_id=decision["batch_id"]
                )
            connection.commit()
            if (version := registry.by_number(number)) is not None:
                publish_report(registry, version, read_run(connection, dag_id=payload.dag_id, run_id=payload.run_id))
    except MlflowException as error:
        raise unavailable(error) from error
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="PROMOTED" if action == "promote" else "REJECTED",
        reason=render(decision, "en"),
        summary={
            "model_version": number, "previous_version": previous, "decision_code": decision["code"],
            "aliases_moved": moved, "reason_es": render(decision, "es"),
        },
    )  # fmt: skip


def _decision(connection: Connection, decision_id: str, action: str, number: str) -> dict[str, Any]:
    try:
        key = UUID(decision_id)
    except ValueError:
        key = None
    row = connection.execute("SELECT * FROM audit.decisions WHERE decision_id = %s AND kind = 'promotion'", (key,)).fetchone()
    if row is None:
        raise BadDataError(
            "UNKNOWN_DECISION", f"there is no promotion decision {decision_id!r}: run evaluate. Nothing was changed."
        )
    if row["outcome"] not in OUTCOMES.get(action, ()) or row["challenger_version"] != number:
        raise BadDataError(
            "NOT_DECIDED",
            f"decision {decision_id} is to {row['outcome']} version {row['challenger_version']}, "
            f"not to {action} version {number}. Nothing was changed.",
        )
    return with_evidence(connection, row)


def _carried_out(connection: Connection, payload: TaskInput, decision: Mapping[str, Any], event: str) -> bool:
    """Whether the ledger says so; its line is written last."""
    line = connection.execute(
        "SELECT FROM audit.model_events WHERE (dag_id, run_id, model_version, event, decision_id) = (%s, %s, %s, %s, %s)",
        (payload.dag_id, payload.run_id, decision["challenger_version"], event, decision["decision_id"]),
    ).fetchone()
    return line is not None


def _promote(
    connection: Connection, payload: TaskInput, registry: Registry, version: Version, decision: Mapping[str, Any]
) -> None:
    """Move the aliases. The champion that is replaced is the decision's, never what the alias shows on a second try."""
    replaced: str | None = decision["champion_version"]
    _refuse_if_moved(registry, version.number, replaced)
    client, name = registry.client, registry.name
    if replaced is not None:
        client.set_registered_model_alias(name, PREVIOUS, replaced)
        client.set_model_version_tag(name, replaced, "stage", PREVIOUS)
    client.set_registered_model_alias(name, PRODUCTION, version.number)
    write_notes(registry, version, decision, stage=PRODUCTION)
    _drop_challenger(registry, version)
    if replaced is not None:
        _event(connection, payload, registry, number=replaced, event="demoted", decision=decision)
    _event(
        connection,
        payload,
        registry,
        number=version.number,
        event="promoted",
        decision=decision,
        details={"previous": replaced},
    )
    log.info("alias production: version %s, previous: version %s", version.number, replaced)


def _refuse_if_moved(registry: Registry, number: str, replaced: str | None) -> None:
    """Raise BadDataError if another version is in production than the one that ``number`` was compared with."""
    now = registry.by_alias(PRODUCTION)
    if now is not None and now.number not in (number, replaced):
        raise BadDataError(
            "PRODUCTION_MOVED",
            f"version {now.number} is in production; version {number} was compared with version {replaced}. "
            "Nothing was changed: the next batch compares again.",
        )


def _reject(
    connection: Connection, payload: TaskInput, registry: Registry, version: Version, decision: Mapping[str, Any]
) -> None:
    """Leave production alone; the version stays registered and says why it lost."""
    write_notes(registry, version, decision, stage="rejected")
    _drop_challenger(registry, version)
    _event(connection, payload, registry, number=version.number, event="rejected", decision=decision)


def _drop_challenger(registry: Registry, version: Version) -> None:
    challenger = registry.by_alias(CHALLENGER)
    if challenger is not None and challenger.number == version.number:
        registry.client.delete_registered_model_alias(registry.name, CHALLENGER)


def _event(
    connection: Connection,
    payload: TaskInput,
    registry: Registry,
    *,
    number: str,
    event: str,
    decision: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
) -> None:
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
