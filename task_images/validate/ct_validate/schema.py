"""What changed in the columns of a batch, and what it brings that CLEAN has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct_store.connection import Connection
from house_prices.columns import COLUMNS, NAMES

EXPECTED_TYPE = {column.name: column.kind for column in COLUMNS}
CATEGORIES = {
    "status": ("r.status", "c.status"),
    "state": ("r.state", "c.state"),
    "zip3": ("left(lpad((r.zip_code::bigint)::text, 5, '0'), 3)", "left(c.zip_code, 3)"),
}
"""How a category is read from RAW and from CLEAN."""

MOST_VALUES = 20


def schema_changes(schema_seen: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Columns that are missing, new or of another type: ``column``, ``change``, ``rows`` concerned, ``detail``."""
    changes = []
    for name in NAMES:
        counts = dict(schema_seen.get(name, {}))
        missing = counts.pop("missing", 0)
        counts.pop("null", 0)
        if missing:
            whole = "no row has it" if missing == _rows(schema_seen) else "some rows do not have it"
            changes.append({"column": name, "change": "missing", "rows": missing, "detail": whole})
        for kind, rows in counts.items():
            if kind != EXPECTED_TYPE[name] and rows:
                detail = f"{kind} where {EXPECTED_TYPE[name]} was expected"
                changes.append({"column": name, "change": "retyped", "rows": rows, "detail": detail})
    for name, found in schema_seen.items():
        if name not in EXPECTED_TYPE:
            kinds = ", ".join(kind for kind in found if kind != "missing")
            rows = sum(rows for kind, rows in found.items() if kind != "missing")
            changes.append(
                {"column": name, "change": "new", "rows": rows, "detail": f"not among the twelve ({kinds}); kept in RAW"}
            )
    return changes


def _rows(schema_seen: Mapping[str, Mapping[str, int]]) -> int:
    return max((sum(counts.values()) for counts in schema_seen.values()), default=0)


def new_categories(connection: Connection, batch_id: int) -> dict[str, Any]:
    """Values of status, state and zip3 that no row of CLEAN has: the most frequent ones and their share of the rows."""
    found = {}
    for name, (expression, known) in CATEGORIES.items():
        rows = connection.execute(
            f"""
            WITH arrived AS (SELECT {expression} AS value, count(*) AS rows FROM raw.listings AS r
                              WHERE batch_id = %(batch_id)s AND {expression} IS NOT NULL GROUP BY 1)
            SELECT value, rows, sum(rows) OVER () AS all_rows,
                   NOT EXISTS (SELECT 1 FROM clean.listings AS c
                                WHERE c.batch_id < %(batch_id)s AND {known} = value) AS is_new
              FROM arrived ORDER BY rows DESC, value
            """.encode(),
            {"batch_id": batch_id},
        ).fetchall()
        new = [row for row in rows if row["is_new"]]
        if new:
            share = float(sum(row["rows"] for row in new) / rows[0]["all_rows"])
            found[name] = {"values": [row["value"] for row in new[:MOST_VALUES]], "count": len(new), "share": share}
    return found


def history(connection: Connection, batch_id: int, row_count: int) -> list[dict[str, Any]]:
    """The batch against what CLEAN has accumulated: its volume, and how many of its homes are known."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM clean.listings WHERE batch_id < %(batch_id)s) AS accumulated,
               (SELECT count(*) FROM raw.listings AS r WHERE r.batch_id = %(batch_id)s AND r.street IS NOT NULL
                   AND r.zip_code IS NOT NULL AND EXISTS (
                   SELECT 1 FROM clean.listings AS c WHERE c.batch_id < %(batch_id)s AND c.property_key =
                          (r.street::bigint)::text || '|' || lpad((r.zip_code::bigint)::text, 5, '0'))) AS known
        """,
        {"batch_id": batch_id},
    ).fetchone()
    if row is None:
        raise RuntimeError("PostgreSQL counted nothing")
    accumulated = int(row["accumulated"])
    volume = {"rows": row_count, "accumulated": accumulated, "share": row_count / accumulated if accumulated else None}
    known = {"rows": int(row["known"]), "share": int(row["known"]) / row_count}
    return [
        {"expectation": "volume_against_history", "column": None, "severity": "info", "success": True, "observed": volume},
        {"expectation": "homes_known_before", "column": None, "severity": "info", "success": True, "observed": known},
    ]
