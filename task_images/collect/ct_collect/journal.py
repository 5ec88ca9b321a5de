"""What was asked of a source and what came of it, in raw.requests and raw.batches.

A request is written before it is sent. One that has no ending tells the next try that the source's cursor may have
moved without its batch being stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ct_store.connection import Connection


@dataclass(frozen=True)
class StreamState:
    """Where a stream stands before a request.

    ``expected`` is the first batch number that is not stored. ``unsettled``: a request went out whose answer was not
    stored, so the source may be ahead. ``recovering``: a gap was found, and the missing batch was not stored since.
    """

    expected: int
    unsettled: bool
    recovering: bool


class Journal:
    """The journal of one stream, for one run. ``connection`` commits each statement by itself."""

    def __init__(self, connection: Connection, stream: str, dag_id: str, run_id: str) -> None:
        self.connection = connection
        self.stream = stream
        self.dag_id = dag_id
        self.run_id = run_id

    def batch_of_run(self) -> dict[str, Any] | None:
        """The batch that this run has stored, if any."""
        return self.connection.execute(
            "SELECT * FROM raw.batches WHERE (dag_id, run_id) = (%s, %s)", (self.dag_id, self.run_id)
        ).fetchone()

    def batch(self, number: int) -> dict[str, Any] | None:
        """A stored batch of the stream."""
        return self.connection.execute(
            "SELECT * FROM raw.batches WHERE (stream, batch_number) = (%s, %s)", (self.stream, number)
        ).fetchone()

    def state(self) -> StreamState:
        """Where the stream stands."""
        row = self.connection.execute(
            """
            WITH stream AS (
                SELECT * FROM raw.requests WHERE stream = %(stream)s
            ), last AS (
                SELECT coalesce(max(request_id) FILTER (WHERE outcome IN ('stored', 'recovered', 'end_of_data')), 0) AS stored,
                       coalesce(max(request_id) FILTER (WHERE outcome IN ('stored', 'recovered', 'end_of_data', 'known')), 0)
                           AS settled
                  FROM stream
            )
            SELECT (SELECT count(*)::integer  -- of the batches from 0 on without a hole
                      FROM (SELECT batch_number, row_number() OVER (ORDER BY batch_number) - 1 AS position
                              FROM raw.batches WHERE stream = %(stream)s) AS batch
                     WHERE batch_number = position) AS expected,
                   EXISTS (SELECT FROM stream, last WHERE kind = 'data' AND outcome IN ('sent', 'failed', 'gap')
                                                      AND request_id > last.settled) AS unsettled,
                   EXISTS (SELECT FROM stream, last WHERE (kind = 'restart' OR outcome = 'gap')
                                                      AND request_id > last.stored) AS recovering
            """,
            {"stream": self.stream},
        ).fetchone()
        if row is None:
            raise RuntimeError("PostgreSQL gave no state of the stream")
        return StreamState(**row)

    def begin(self, kind: str, url: str) -> int:
        """Write a request down before it is sent, and return its id."""
        row = self.connection.execute(
            "INSERT INTO raw.requests (stream, run_id, kind, url) VALUES (%s, %s, %s, %s) RETURNING request_id",
            (self.stream, self.run_id, kind, url),
        ).fetchone()
        if row is None:
            raise RuntimeError("PostgreSQL gave no request id")
        request_id: int = row["request_id"]
        return request_id

    def end(
        self, request_id: int, outcome: str, *, status: int | None = None, number: int | None = None, detail: str | None = None
    ) -> None:
        """Write down what came of a request; inside a transaction it is visible with the rest of it."""
        self.connection.execute(
            """
            UPDATE raw.requests
               SET outcome = %s, http_status = %s, batch_number = %s, detail = %s, answered_at = clock_timestamp()
             WHERE request_id = %s
            """,
            (outcome, status, number, detail and detail.replace("\0", "\\u0000")[:2000], request_id),
        )
