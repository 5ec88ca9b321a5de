"""What changed in the columns of a batch, and the values that CLEAN has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct_store.connection import Connection
from house_prices.cleaning import ZIP_NUMBER, number_as_read, text_as_read, zip_code
from house_prices.columns import COLUMNS, NAMES

EXPECTED_TYPE = {column.name: column.kind for column in COLUMNS}
CATEGORIES = {
    "status": (text_as_read("status"), "c.status"),
    "state": (text_as_read("state"), "c.state"),
    "zip3": (f"left({zip_code(ZIP_NUMBER)}, 3)", "left(c.zip_code, 3)"),
}
"""How a category is read from RAW and from CLEAN."""

MOST_VALUES = 20


def schema_changes(schema_seen: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Columns that are missing, new or of another type: ``column``, ``change``, ``rows`` concerned, ``detail``."""
    changes: list[dict[str, Any]] = []
    rows = max((sum(counts.values()) for counts in schema_seen.values()), default=0)
    for name in NAMES:
        counts = dict(schema_seen.get(name) or {"missing": rows})
        missing = counts.pop("missing", 0)
        counts.pop("null", 0)
        if missing:
            whole = "no row has it" if missing == rows else "some rows do not have it"
            changes.append({"column": name, "change": "missing", "rows": missing, "detail": whole})
        for kind, of_kind in counts.items():
            if kind != EXPECTED_TYPE[name] and of_kind:
                detail = f"{kind} where {EXPECTED_TYPE[name]} was expected"
                changes.append({"column": name, "change": "retyped", "found": kind, "rows": of_kind, "detail": detail})
    for name, found in schema_seen.items():
        if name not in EXPECTED_TYPE:
            kinds = ", ".join(kind for kind in found if kind != "missing")
            having = sum(count for kind, count in found.items() if kind != "missing")
            changes.append(
                {"column": name, "change": "new", "rows": having, "detail": f"not among the twelve ({kinds}); kept in RAW"}
            )
    return changes


def say_what_can_be_read(connection: Connection, batch_id: int, changes: list[dict[str, Any]]) -> None:
    """Add to each number column that came as text how many of its texts read as numbers: ``readable``, also in ``detail``."""
    for change in changes:
        name = change["column"]
        if change["change"] != "retyped" or change["found"] != "string" or EXPECTED_TYPE[name] != "number":
            continue
        row = connection.execute(
            f"""
            SELECT count({number_as_read(name)}) AS readable FROM raw.listings AS r
             WHERE batch_id = %s AND jsonb_typeof(other->%s) = 'string'
            """.encode(),
            (batch_id, name),
        ).fetchone()
        change["readable"] = int(row["readable"]) if row else 0
        told = f"{change['readable']:,} of {change['rows']:,} read as numbers and are used as such"
        change["detail"] += f"; {told if change['readable'] else 'none reads as a number'}"


def new_categories(connection: Connection, batch_id: int) -> dict[str, Any]:
    """Values of status, state and zip3 that no row of CLEAN has: the most frequent ones and their share of the rows."""
    found = {}
    for name, (expression, known) in CATEGORIES.items():
        rows = connection.execute(
            f"""
            WITH arrived AS (SELECT {expression} AS value, count(*) AS rows FROM raw.listings AS r
                              WHERE batch_id = %(batch_id)s GROUP BY 1),
                 known AS (SELECT DISTINCT {known} AS value FROM clean.listings AS c WHERE batch_id < %(batch_id)s)
            SELECT value, rows, sum(rows) OVER () AS all_rows, known.value IS NULL AS is_new
              FROM arrived LEFT JOIN known USING (value)
             WHERE value IS NOT NULL ORDER BY rows DESC, value
            """.encode(),
            {"batch_id": batch_id},
        ).fetchall()
        new = [row for row in rows if row["is_new"]]
        if new:
            share = float(sum(row["rows"] for row in new) / rows[0]["all_rows"])
            found[name] = {"values": [row["value"] for row in new[:MOST_VALUES]], "count": len(new), "share": share}
    return found
