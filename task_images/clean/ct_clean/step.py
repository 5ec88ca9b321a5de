"""Clean one batch: one transaction, set-based, the same bytes however often it is run."""

from __future__ import annotations

import logging
from typing import Any

from ct_contract import BadDataError, TaskInput, TaskResult
from ct_store.connection import Connection, connect
from ct_store.ledger import record_step
from house_prices import cleaning

from ct_clean import sql

log = logging.getLogger(__name__)

CLEANING_LOCK = 7_223_115
"""Held while a batch is cleaned: which listing came first depends on the batches before it."""


def clean(payload: TaskInput) -> TaskResult:
    """Write the batch's sound rows to CLEAN and the others to quarantine, or find that this was done already.

    Raises BadDataError (UNKNOWN_BATCH) if RAW does not hold the batch.
    """
    batch_id: int = payload.require("batch_id", int)
    with connect("clean") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (CLEANING_LOCK,))
        done = connection.execute(sql.DONE, {"batch_id": batch_id}).fetchone()
        if done is None:
            done = _clean(connection, batch_id, payload.run_id)
            record_step(connection, dag_id=payload.dag_id, run_id=payload.run_id, step="clean", batch_id=batch_id)
        else:
            log.info("batch %d was cleaned before; nothing was changed", batch_id)
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="CLEANED",
        reason=(
            f"{done['rows_accepted']:,} of {done['rows_in']:,} rows were accepted, {done['rows_new']:,} of them of homes "
            f"not seen before; {done['rows_quarantined']:,} are in quarantine."
        ),
        summary={"batch_id": batch_id, **done},
    )


def _clean(connection: Connection, batch_id: int, run_id: str) -> dict[str, Any]:
    if connection.execute("SELECT 1 FROM raw.batches WHERE batch_id = %s", (batch_id,)).fetchone() is None:
        raise BadDataError("UNKNOWN_BATCH", f"RAW holds no batch {batch_id}: run collect first. Nothing was changed.")
    values = {"batch_id": batch_id, "run_id": run_id, "rules_version": cleaning.VERSION}
    connection.execute("SET LOCAL work_mem = '256MB'")
    for statement in (sql.READ, sql.JUDGE, sql.ANALYSE, sql.MARK, sql.QUARANTINE, sql.ACCEPT):
        connection.execute(statement, values if "%(" in statement else None)
    done = connection.execute(sql.SUMMARISE, values).fetchone()
    if done is None:
        raise RuntimeError("PostgreSQL kept no summary of the cleaned batch")
    for line in connection.execute(sql.QUARANTINED, values):
        log.info("quarantine: %s rows by %s, for example %s", line["rows"], line["rule"], line["example"])
    return done
