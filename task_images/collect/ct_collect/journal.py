"""What was asked of a source and what came of it, in raw.requests and raw.batches.

A request is written before it is sent. One that has no ending tells the next try that the source's cursor may have
moved without its batch being stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ct_store.connection import Connection

_SETTLED = "('stored', 'known', 'end_of_data', 'recovered')"


@dataclass(frozen=True)
class StreamState:
    """Where a stream stands before a request.

    ``unsettled``: a request went out whose answer was not stored. ``replaying``: a restart was asked for and the
    missing batch has not been stored since.
    """

    expected: int
    unsettled: bool
    replaying: bool


class Journal:
    """The journal of one stream, for one run. ``connection`` commits each statement by itself."""

    def __init__(self, connection: Connection, stream: str, dag_id: str, run_id: str) -> None:
        self._connection = connection
        self.stream = stream
        self.dag_id = dag_id
        self.run_id = run_id

    def batch_of_run(self) -> dict[str, Any] | None:
        """The batch that this run has stored, if any."""
        return self._connection.execute(
            "SELECT * FROM raw.batches WHERE (dag_id, run_id) = (%s, %s)", (self.dag_id, self.run_id)
        ).fetchone()

    def batch(self, number: int) -> dict[str, Any] | None:
        """A stored batch of the stream."""
        return self._connection.execute(
            "SELECT * FROM raw.batches WHERE (stream, batch_number) = (%s, %s)", (self.stream, number)
        ).fetchone()

    def state(self) -> StreamState:
        """Where the stream stands."""
        row = self._connection.execute(
            f"""
            WITH settled AS (
                SELECT coalesce(max(request_id), 0) AS last FROM raw.requests
                 WHERE stream = %(stream)s AND outcome IN {_SETTLED}
            ), stored AS (
                SELECT coalesce(max(request_id), 0) AS last FROM raw.requests
                 WHERE stream = %(stream)s AND outcome IN ('stored', 'recovered', 'end_of_data')
            )
            SELECT (SELECT coalesce(max(batch_number) + 1, 0) FROM raw.batches WHERE stream = %(stream)s) AS expected,
                   EXISTS (SELECT 1 FROM raw.requests, settled WHERE stream = %(stream)s AND kind = 'data'
                            AND outcome IN ('sent', 'failed', 'gap') AND request_id > settled.last) AS unsettled,
                   EXISTS (SELECT 1 FROM raw.requests, stored WHERE stream = %(stream)s AND kind = 'restart'
                            AND request_id > stored.last) AS replaying
            """.encode(),
            {"stream": self.stream},
        ).fetchone()
        if row is None:
            raise RuntimeError("PostgreSQL gave no state of the stream")
        return StreamState(**row)

    def begin(self, kind: str, url: str) -> int:
        """Write a request down before it is sent."""
        row = self._connection.execute(
            "INSERT INTO raw.requests (stream, run_id, kind, url) VALUES (%s, %s, %s, %s) RETURNING request_id",
            (self.stream, self.run_id, kind, url),
        ).fetchone()
        if row is None:
            raise RuntimeError("PostgreSQL gave no request id")
        request_id: int = row["request_id"]
        return request_id

    def end(
        self,
        request_id: int,
        outcome: str,
        *,
        status: int | None = None,
        number: int | None = None,
        detail: str | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Write down what came of a request, in another connection's transaction if one is given."""
        (connection or self._connection).execute(
            """
            UPDATE raw.requests
               SET outcome = %s, http_status = %s, batch_number = %s, detail = %s, answered_at = clock_timestamp()
             WHERE request_id = %s
            """,
            (outcome, status, number, detail, request_id),
        )
