"""The batch against what CLEAN has accumulated, and whether that is still all there."""

from __future__ import annotations

from typing import Any

from ct_store.connection import Connection
from house_prices.cleaning import PROPERTY_KEY
from house_prices.expectations import KNOWN_HOMES_MOST, VOLUME_LEAST

EXAMPLES = 5


def check_accumulated(connection: Connection, batch_id: int, row_count: int) -> list[dict[str, Any]]:
    """Lines like those of the suite, of the batches before this one: they warn, and never reject the batch.

    ``accumulated_rows_complete``: CLEAN holds, of every batch, as many rows as were accepted. ``volume_against_history``:
    the batch's rows as a share of those. ``homes_known_before``: the share of its rows whose home CLEAN knows already.
    """
    batches = connection.execute(
        """
        SELECT b.batch_id, b.rows_accepted, coalesce(l.rows, 0) AS rows
          FROM clean.batches AS b
          LEFT JOIN (SELECT batch_id, count(*) AS rows FROM clean.listings GROUP BY 1) AS l USING (batch_id)
         WHERE b.batch_id < %s ORDER BY 1
        """,
        (batch_id,),
    ).fetchall()
    known = connection.execute(
        f"""
        SELECT count(*) AS rows FROM raw.listings AS r
         WHERE r.batch_id = %(batch_id)s AND EXISTS (
               SELECT 1 FROM clean.listings AS c WHERE c.batch_id < %(batch_id)s AND c.property_key = {PROPERTY_KEY})
        """.encode(),
        {"batch_id": batch_id},
    ).fetchone()
    accumulated = sum(batch["rows"] for batch in batches)
    incomplete = [batch for batch in batches if batch["rows"] != batch["rows_accepted"]]
    of_history = row_count / accumulated if accumulated else None
    known_rows = int(known["rows"]) if known else 0
    complete: dict[str, Any] = _line(
        "accumulated_rows_complete", not incomplete, {}, {"batches": len(batches), "rows": accumulated}
    )
    if incomplete:
        complete["examples"] = [
            f"batch {batch['batch_id']}: {batch['rows']:,} rows, {batch['rows_accepted']:,} were accepted"
            for batch in incomplete[:EXAMPLES]
        ]
    volume = _line(
        "volume_against_history",
        of_history is None or of_history >= VOLUME_LEAST,
        {"min_share": VOLUME_LEAST},
        {"rows": row_count, "accumulated": accumulated, "share": of_history},
    )
    homes = _line(
        "homes_known_before",
        known_rows <= KNOWN_HOMES_MOST * row_count,
        {"max_share": KNOWN_HOMES_MOST},
        {"rows": known_rows, "share": known_rows / row_count},
    )
    return [complete, volume, {**homes, "share": known_rows / row_count, "rows": known_rows}]


def _line(name: str, success: bool, arguments: dict[str, Any], observed: dict[str, Any]) -> dict[str, Any]:
    return {
        "expectation": name,
        "column": None,
        "severity": "warning",
        "success": success,
        "arguments": arguments,
        "observed": observed,
    }
