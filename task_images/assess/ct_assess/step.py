"""Assess one batch: measure every signal of the champion on its new rows, decide, and record both."""

from __future__ import annotations

import logging

from ct_contract import BadDataError, ContractError, TaskInput, TaskResult
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge
from ct_decisions.measurement import measurement
from ct_decisions.once import decide_once
from ct_decisions.policy import Policy, load_policy
from ct_decisions.reasons import render
from ct_decisions.registry import PRODUCTION, Registry, Version
from ct_decisions.retrain import Manual, decide
from ct_store.connection import Connection, connect
from ct_store.ledger import record_decision, record_step

from ct_assess.signals import measure

log = logging.getLogger(__name__)


def assess(payload: TaskInput) -> TaskResult:
    """Record the run's retrain decision, or find it recorded.

    Raises BadDataError if CLEAN does not hold the batch, TryLaterError if MLflow or PostgreSQL is away.
    """
    batch_id: int = payload.require("batch_id", int)
    manual = _manual(payload)
    with connect("assess") as connection:
        decision = decide_once(connection, payload, "retrain", lambda: _decide(connection, payload, batch_id, manual))
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code=decision["code"],
        reason=render(decision, "en"),
        summary={
            "batch_id": batch_id,
            "decision": decision["outcome"],
            "decision_id": str(decision["decision_id"]),
            "champion_version": decision["champion_version"],
            "reason_es": render(decision, "es"),
        },
    )


def _manual(payload: TaskInput) -> Manual | None:
    if not payload.inputs.get("force"):
        return None
    author, reason = (str(payload.inputs.get(name) or "").strip() for name in ("author", "reason"))
    if not author or not reason:
        raise ContractError("a forced training needs an author and a reason: both are kept with the decision")
    return Manual(author=author, reason=reason)


def _decide(connection: Connection, payload: TaskInput, batch_id: int, manual: Manual | None) -> None:
    batch = connection.execute(
        "SELECT batch_number, rows_new, rows_accepted FROM clean.batches JOIN raw.batches USING (batch_id) WHERE batch_id = %s",
        (batch_id,),
    ).fetchone()
    if batch is None:
        raise BadDataError("BATCH_NOT_CLEANED", f"CLEAN does not hold batch {batch_id}: run clean first. Nothing was decided.")
    policy = load_policy()
    registry = Registry()
    champion = registry.by_alias(PRODUCTION)
    signals: list[Signal] = []
    earlier: list[list[Signal]] = []
    champion_rows = 0
    new_rows = _waiting_rows(connection, champion, batch_id)
    if champion is not None:
        champion_rows = _rows_of(connection, champion)
        if new_rows and (champion.batch_ids or manual is None):
            signals = measure(connection, registry, champion, batch_id, policy)
            earlier = _earlier(connection, champion, batch_id, policy)
    verdict = decide(
        policy.retrain,
        signals,
        champion_version=champion.number if champion else None,
        new_rows=new_rows,
        champion_rows=champion_rows,
        manual=manual,
        earlier=earlier,
    )
    for signal in signals:
        log.info("%s: %s (limit %s): %s", signal.key, signal.value, signal.threshold, signal.verdict)
    record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind="retrain",
        outcome=verdict.outcome,
        code=verdict.code,
        batch_id=batch_id,
        policy=policy.identity,
        champion_version=champion.number if champion else None,
        facts={
            **verdict.facts,
            "batch_number": batch["batch_number"],
            "rows": batch["rows_accepted"],
            "measurement": measurement(policy, "retrain"),
        },
        signals=[signal.as_row() for signal in signals],
    )
    record_step(connection, dag_id=payload.dag_id, run_id=payload.run_id, step="assess", batch_id=batch_id)


def _earlier(connection: Connection, champion: Version, batch_id: int, policy: Policy) -> list[list[Signal]]:
    """The signals of the batches before that met the same champion, the last one first, back to its last training.

    A batch that was decided more than once counts by its last decision, one without new homes says nothing. They are
    judged by today's policy.
    """
    decisions = connection.execute(
        """
        SELECT * FROM (
            SELECT DISTINCT ON (batch_id) batch_id, decision_id, outcome FROM audit.decisions AS d
             WHERE kind = 'retrain' AND champion_version = %s AND batch_id < %s
               AND EXISTS (SELECT FROM audit.signals AS s WHERE s.decision_id = d.decision_id)
             ORDER BY batch_id, decided_at DESC
        ) AS last ORDER BY batch_id DESC LIMIT %s
        """,
        (champion.number, batch_id, policy.retrain.watches - 1),
    ).fetchall()
    found: list[list[Signal]] = []
    for decision in decisions:
        if decision["outcome"] == "train":
            break
        rows = connection.execute(
            "SELECT * FROM audit.signals WHERE decision_id = %s ORDER BY position", (decision["decision_id"],)
        ).fetchall()
        found.append([judge(policy.retrain, Signal.from_row(row)) for row in rows])
    return found


def _rows_of(connection: Connection, champion: Version) -> int:
    row = connection.execute(
        "SELECT coalesce(sum(rows_accepted), 0)::bigint AS rows FROM clean.batches WHERE batch_id = ANY(%s)",
        (champion.batch_ids,),
    ).fetchone()
    return int(row["rows"]) if row else 0


def _waiting_rows(connection: Connection, champion: Version | None, batch_id: int) -> int:
    """New homes since the champion, those of earlier small batches included; none if this batch brings none."""
    row = connection.execute(
        """
        SELECT coalesce(sum(rows_new), 0)::bigint AS rows, coalesce(max(rows_new) FILTER (WHERE batch_id = %(batch)s), 0) AS own
          FROM clean.batches WHERE batch_id <= %(batch)s AND batch_id <> ALL(%(known)s)
        """,
        {"batch": batch_id, "known": champion.batch_ids if champion else []},
    ).fetchone()
    return int(row["rows"]) if row and row["own"] else 0
