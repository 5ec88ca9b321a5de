"""What validation found in each batch, and what was put aside. Nothing here knows Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_store.connection import connect

EXAMPLES = 5
"""Rows of each rule that are shown."""

MOST_VALIDATIONS = 500
"""Validated batches that are shown: the newest. Older ones are found by their address."""


@dataclass(frozen=True)
class Quarantine:
    """How many rows each rule put aside, most first, and the first rows of each as they were delivered."""

    counts: Mapping[str, int]
    samples: Sequence[Mapping[str, Any]]


def read_validations(url: str, batch_id: int | None = None) -> list[dict[str, Any]]:
    """The newest validated batches and the one of that id, with what became of their rows, newest first.

    Raises TryLaterError if PostgreSQL is away.
    """
    with connect("ct_dashboard", url) as connection:
        return connection.execute(
            """
            WITH newest AS (
                SELECT batch_id FROM audit.validations ORDER BY validated_at DESC, batch_id DESC LIMIT %s
            )
            SELECT validation.batch_id, validation.run_id, suite_name, suite_version, accepted, expectations, schema_changes,
                   new_categories, validated_at, batch.stream, batch.batch_number, batch.row_count,
                   cleaned.rows_accepted, cleaned.rows_new, cleaned.rows_quarantined
              FROM audit.validations AS validation
              JOIN raw.batches AS batch USING (batch_id)
              LEFT JOIN clean.batches AS cleaned USING (batch_id)
             WHERE validation.batch_id IN (SELECT batch_id FROM newest) OR validation.batch_id = %s
             ORDER BY validation.validated_at DESC, validation.batch_id DESC
            """,
            (MOST_VALIDATIONS, batch_id),
        ).fetchall()


def read_quarantine(url: str, batch_id: int) -> Quarantine:
    """What cleaning put aside of a batch. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        counts = connection.execute(
            "SELECT rule, count(*)::integer AS rows FROM clean.quarantine WHERE batch_id = %s GROUP BY 1 ORDER BY 2 DESC, 1",
            (batch_id,),
        ).fetchall()
        samples = connection.execute(
            """
            SELECT numbered.row_number, rule, detail, status, price, bed, bath, house_size, city, state, zip_code
              FROM (SELECT *, row_number() OVER (PARTITION BY rule ORDER BY row_number) AS position
                      FROM clean.quarantine WHERE batch_id = %(batch)s) AS numbered
              LEFT JOIN raw.listings AS listing ON (listing.batch_id, listing.row_number) = (%(batch)s, numbered.row_number)
             WHERE position <= %(most)s ORDER BY rule, row_number
            """,
            {"batch": batch_id, "most": EXAMPLES},
        ).fetchall()
    return Quarantine({row["rule"]: row["rows"] for row in counts}, samples)


def failures(validation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The expectations that do not hold, the gravest first."""
    order = {"critical": 0, "warning": 1}
    failed = [line for line in validation["expectations"] if not line["success"]]
    return sorted(failed, key=lambda line: order.get(line["severity"], 2))
