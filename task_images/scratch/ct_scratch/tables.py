"""Copy the rows of RAW, CLEAN and audit that were there at a moment, from one snapshot, as a stream of bytes."""

from __future__ import annotations

import logging
from typing import Any

from ct_contract import BadDataError
from ct_store.connection import Connection
from psycopg import sql

from ct_scratch.moment import Moment

log = logging.getLogger(__name__)

_CLEANED = "batch_id IN (SELECT batch_id FROM clean.batches WHERE cleaned_at < %(at)s)"
_DECIDED = "decision_id IN (SELECT decision_id FROM audit.decisions WHERE decided_at < %(at)s)"

TABLES = {
    "raw.requests": "sent_at < %(at)s",
    "raw.batches": "stored_at < %(at)s",
    "raw.listings": "batch_id IN (SELECT batch_id FROM raw.batches WHERE stored_at < %(at)s)",
    "raw.inferences": "answered_at < %(at)s",
    "raw.feedback": "received_at < %(at)s",
    "clean.batches": "cleaned_at < %(at)s",
    "clean.listings": _CLEANED,
    "clean.quarantine": _CLEANED,
    "audit.validations": "validated_at < %(at)s",
    "audit.decisions": "decided_at < %(at)s",
    "audit.signals": _DECIDED,
    "audit.gates": _DECIDED,
    "audit.evaluations": _DECIDED,
    "audit.diagnostics": _DECIDED,
    "audit.model_events": "happened_at < %(at)s",
    "audit.steps": "done_at < %(at)s",
    "audit.fixed_sets": "drawn_at < %(at)s",
    "audit.version_scores": "scored_at < %(at)s",
    "audit.explanations": "explained_at < %(at)s",
}
"""Every table with what says that a row was there, in an order in which each reference finds its row."""

_UNANSWERED = "CASE WHEN answered_at < %(at)s THEN {column} END"
_OF_THE_COPY = "CASE {column} WHEN %(real_model)s THEN %(model)s ELSE {column} END"
_CHANGED = {
    # The only table whose lines are changed: a request that was not yet answered is as it was when it was sent.
    ("raw.requests", "outcome"): "CASE WHEN answered_at < %(at)s THEN outcome ELSE 'sent' END",
    **{("raw.requests", name): _UNANSWERED for name in ("http_status", "batch_number", "detail", "answered_at")},
    # The ledger of the copy is about the copy of the model, and so is what is known of its versions.
    **{(f"audit.{table}", "model_name"): _OF_THE_COPY for table in ("model_events", "version_scores", "explanations")},
}

_COLUMNS = """
SELECT n.nspname || '.' || c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
       a.attidentity <> '' AS is_identity
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname IN ('raw', 'clean', 'audit') AND c.relkind = 'r'
 ORDER BY 1, a.attnum
"""


def copy_tables(source: Connection, copy: Connection, moment: Moment, *, real_model: str, model: str) -> dict[str, int]:
    """Fill the empty tables of ``copy``, set its sequences and analyse it; the rows of each table by its name.

    ``source`` is in the transaction whose snapshot is copied. No row becomes a Python object. Raises BadDataError
    (SCHEMA_DIFFERS) if the two databases have not the same tables and columns.
    """
    columns = _columns(source)
    if columns != _columns(copy):
        raise BadDataError(
            "SCHEMA_DIFFERS",
            "the pipeline's database has other tables or columns than this image makes. Nothing was made: use the scratch "
            "image of the release that runs there, or migrate the database.",
        )
    if unknown := columns.keys() ^ TABLES.keys():
        raise RuntimeError(f"it is not known which rows of {', '.join(sorted(unknown))} were there at a moment")
    values = {"at": moment.at, "real_model": real_model, "model": model}
    rows = {}
    for table in TABLES:
        rows[table] = _copy(source, copy, table, [column["column"] for column in columns[table]], values)
        for column in columns[table]:
            if column["is_identity"]:
                _continue(copy, table, column["column"])
    log.info("%s rows copied, as they were at %s", f"{sum(rows.values()):,}", moment.at.isoformat())
    for table in TABLES:
        copy.execute(sql.SQL("ANALYZE {}").format(_identifier(table)))
    return rows


def _columns(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(_COLUMNS):
        found.setdefault(row.pop("table"), []).append(row)
    return found


def _copy(source: Connection, copy: Connection, table: str, columns: list[str], values: dict[str, Any]) -> int:
    names = [sql.Identifier(column) for column in columns]
    selected = [
        sql.SQL(_CHANGED.get((table, column), "{column}")).format(column=name)
        for column, name in zip(columns, names, strict=True)
    ]
    read = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT binary)").format(
        sql.SQL(", ").join(selected), _identifier(table), sql.SQL(TABLES[table])
    )
    write = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(_identifier(table), sql.SQL(", ").join(names))
    with source.cursor() as reader, copy.cursor() as writer:
        with reader.copy(read, values) as outgoing, writer.copy(write) as incoming:
            for data in outgoing:
                incoming.write(data)
        return writer.rowcount


def _continue(copy: Connection, table: str, column: str) -> None:
    """Let a sequence go on after the last row that was copied."""
    copy.execute(
        sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 0) + 1, false) FROM {}").format(
            sql.Literal(table), sql.Literal(column), sql.Identifier(column), _identifier(table)
        )
    )


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
