"""Validate one batch: accept it, or reject it and say which expectation failed, by what share, with examples."""

from __future__ import annotations

import logging
from typing import Any

from ct_contract import BadDataError, TaskInput, TaskResult
from ct_decisions.reasons import render
from ct_store.connection import Connection, connect, database_url
from ct_store.ledger import find_decision, record_decision, record_step
from house_prices.columns import NAMES
from house_prices.expectations import SUITE_NAME, SUITE_VERSION
from psycopg.types.json import Jsonb

from ct_validate.accumulated import check_accumulated
from ct_validate.report import measured, render_report, sentence
from ct_validate.schema import new_categories, say_what_can_be_read, schema_changes
from ct_validate.suite import EXAMPLES, run_suite

log = logging.getLogger(__name__)


def validate(payload: TaskInput) -> TaskResult:
    """Keep the validation of the batch with its report; a batch that was validated before keeps what was found then.

    Raises BadDataError (SKIP_INVALID_BATCH) if a critical expectation fails, and records that decision.
    """
    batch_id: int = payload.require("batch_id", int)
    with connect("validate") as connection:
        batch = connection.execute("SELECT * FROM raw.batches WHERE batch_id = %s", (batch_id,)).fetchone()
        if batch is None:
            raise BadDataError("UNKNOWN_BATCH", f"RAW holds no batch {batch_id}: run collect first. Nothing was changed.")
        if _kept(connection, batch_id) is None:
            _validate(connection, payload, batch)
            connection.commit()
        kept = _kept(connection, batch_id)
        if kept is None:
            raise RuntimeError("the validation was recorded and is not there")
        if not kept["accepted"]:
            _reject(connection, payload, batch, kept)
    failed = [line for line in kept["expectations"] if not line["success"]]
    changes = "; ".join(f"{change['column']} {change['change']}" for change in kept["schema_changes"])
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="BATCH_ACCEPTED",
        reason=(
            f"Batch {batch['batch_number']} is accepted: {len(kept['expectations']) - len(failed)} of "
            f"{len(kept['expectations'])} expectations hold, none that fails is critical."
            + (f" Columns: {changes}." if changes else "")
        ),
        summary={
            "batch_id": batch_id,
            "expectations": len(kept["expectations"]),
            "failed": len(failed),
            "warnings": [f"{line['column'] or ''} {line['expectation']}".strip() for line in failed],
            "schema_changes": kept["schema_changes"],
            "new_categories": {
                name: {"count": found["count"], "share": found["share"]} for name, found in kept["new_categories"].items()
            },
        },
    )


def _kept(connection: Connection, batch_id: int) -> dict[str, Any] | None:
    return connection.execute("SELECT * FROM audit.validations WHERE batch_id = %s", (batch_id,)).fetchone()


def _validate(connection: Connection, payload: TaskInput, batch: dict[str, Any]) -> None:
    batch_id = batch["batch_id"]
    expectations = run_suite(database_url(), batch_id)
    for line in expectations:
        if not line["success"] and line["column"] and not line.get("examples"):
            line["examples"] = _delivered(connection, batch_id, line["column"])
    accepted = all(line["success"] for line in expectations if line["severity"] == "critical")
    connection.execute("SET LOCAL work_mem = '128MB'")
    expectations += check_accumulated(connection, batch_id, batch["row_count"])
    changes = schema_changes(batch["schema_seen"])
    say_what_can_be_read(connection, batch_id, changes)
    categories = new_categories(connection, batch_id)
    for line in expectations:
        if not line["success"]:
            name = f"{line['column'] or ''} {line['expectation']}".strip()
            log.warning("%s expectation fails: %s: %s: %s", line["severity"], name, sentence(line), measured(line))
    for change in changes:
        log.warning("column %s is %s: %s", change["column"], change["change"], change["detail"])
    report = render_report(
        batch, accepted=accepted, suite=SUITE_NAME, version=SUITE_VERSION, expectations=expectations, changes=changes,
        categories=categories,
    )  # fmt: skip
    connection.execute(
        """
        INSERT INTO audit.validations (batch_id, run_id, suite_name, suite_version, accepted, expectations, schema_changes,
                                       new_categories, report_html)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (batch_id) DO NOTHING
        """,
        (
            batch_id, payload.run_id, SUITE_NAME, SUITE_VERSION, accepted, Jsonb(expectations), Jsonb(changes),
            Jsonb(categories), report,
        ),
    )  # fmt: skip
    record_step(connection, dag_id=payload.dag_id, run_id=payload.run_id, step="validate", batch_id=batch_id)


def _delivered(connection: Connection, batch_id: int, column: str) -> list[str]:
    """What stood where no value could be read: examples for an expectation about nulls."""
    if column not in NAMES:
        return []
    rows = connection.execute(
        "SELECT DISTINCT other->>%s AS value FROM raw.listings WHERE batch_id = %s AND other ? %s LIMIT %s",
        (column, batch_id, column, EXAMPLES),
    )
    return [row["value"] for row in rows if row["value"] is not None]


def _failure(line: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a critical expectation that failed: its share and the largest allowed, or a number and the least."""
    found = {key: line.get(key) for key in ("expectation", "column", "severity", "share", "examples", "error")}
    arguments = line.get("arguments") or {}
    if line.get("share") is not None and arguments.get("mostly") is not None:
        found["limit"] = round(1 - arguments["mostly"], 6)
    elif line.get("observed") is not None and arguments.get("min_value") is not None:
        found |= {"observed": line["observed"], "least": arguments["min_value"]}
    return found


def _reject(connection: Connection, payload: TaskInput, batch: dict[str, Any], kept: dict[str, Any]) -> None:
    failed = [line for line in kept["expectations"] if not line["success"] and line["severity"] == "critical"]
    facts = {
        "batch_number": batch["batch_number"],
        "failed": [_failure(line) for line in failed],
    }
    record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind="retrain",
        outcome="skip",
        code="SKIP_INVALID_BATCH",
        batch_id=batch["batch_id"],
        facts=facts,
    )
    connection.commit()
    decision = find_decision(connection, dag_id=payload.dag_id, run_id=payload.run_id, kind="retrain")
    if decision is None:
        raise RuntimeError("the decision was recorded and is not there")
    summary = {"batch_id": batch["batch_id"], "failed": facts["failed"], "reason_es": render(decision, "es")}
    raise BadDataError("SKIP_INVALID_BATCH", render(decision, "en"), summary)
