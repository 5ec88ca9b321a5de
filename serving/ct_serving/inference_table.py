"""raw.inferences, as the log writes to it. Connecting again is a thread's own work: nobody waits for it."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Sequence
from threading import Event, Lock, Thread
from typing import Any

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from ct_serving.postgres import connect
from ct_serving.raw_table import INSERT, document

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0
"""The longest wait, in seconds, between two tries to connect."""
FIRST_PAUSE = 0.1
_STATEMENT = b"insert_inferences"
_INSERTED = ExecStatus.COMMAND_OK
# A write that hangs must end soon: its rows go to the spool, and the clients that wait for them get their answers. The
# server keeps to the first limit; one that is stopped, or whose disk is, cannot, and is left after the second.
STATEMENT_SECONDS = 2
ANSWER_SECONDS = 3.0
RowAtFaultError = (psycopg.DataError, psycopg.IntegrityError)
"""What PostgreSQL raises if it refuses rows for what they are."""


class InferenceTable:
    """The table, there and ready for the next write, or away and why.

    ``insert`` is for one thread. It goes straight to libpq: psycopg's own layer costs more than the write itself.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._away = Event()
        self._closing = Event()
        self._lock = Lock()
        self._failures = 0
        self._thread = Thread(target=self._run, name="inference-database", daemon=True)
        self.trouble: str | None = "the first connection is not made yet"
        """Why PostgreSQL is away, in words; None while it is there."""

    def start(self) -> None:
        """Begin to connect."""
        self._away.set()
        self._thread.start()

    def close(self) -> None:
        """End the connection and the tries to make one."""
        self._closing.set()
        self._away.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def ready(self) -> bool:
        """Whether a write may be tried now."""
        return self._connection is not None

    def insert(self, rows: Sequence[bytes]) -> None:
        """Write encoded rows in one transaction; when it returns they are committed. Rows that are there already stay.

        Raises one of RowAtFaultError for what the rows are, with nothing written, and psycopg.Error if PostgreSQL is
        away; then it is connected to again in the background.
        """
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError(self.trouble or "not connected")
        try:
            connection.pgconn.send_query_prepared(_STATEMENT, [document(rows)])
            result = _answer(connection.pgconn)
        except psycopg.OperationalError as error:
            self._lost(str(error))
            raise
        if result.status == _INSERTED:
            self._failures = 0
            return
        code = result.error_field(DiagnosticField.SQLSTATE)
        words = result.get_error_message().strip() or "the connection was lost"
        kind: type[psycopg.Error] = psycopg.OperationalError
        if code is not None:
            try:
                kind = psycopg.errors.lookup(code.decode())
            except KeyError:
                kind = psycopg.DatabaseError
        if not issubclass(kind, RowAtFaultError):
            self._lost(words)
        raise kind(words)

    def _lost(self, words: str) -> None:
        logger.warning("PostgreSQL does not take inferences: %s; they go to the spool", words)
        self.trouble = words
        self._failures += 1
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        self._away.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._away.wait()
            self._away.clear()
            while self._connection is None and not self._closing.is_set():
                if self._failures > 1:
                    # Also a server that takes connections and no rows is not to be asked all the time.
                    self._closing.wait(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10)))
                try:
                    self._connect()
                except psycopg.Error as error:
                    words = str(error).strip() or type(error).__name__
                    if self.trouble != words:
                        logger.warning("PostgreSQL cannot be reached: %s", words)
                    self.trouble = words
                    self._failures += 1

    def _connect(self) -> None:
        started = time.monotonic()
        connection = connect(self._url, "ct_serving", STATEMENT_SECONDS)
        try:
            connection.pgconn.send_prepare(_STATEMENT, INSERT)
            result = _answer(connection.pgconn)
            if result.status != _INSERTED:
                raise psycopg.OperationalError(result.get_error_message().strip())
        except psycopg.Error:
            connection.close()
            raise
        with self._lock:
            if self._closing.is_set():
                connection.close()
                return
            self.trouble = None
            self._connection = connection
        logger.info("PostgreSQL takes inferences, connected in %.2f s", time.monotonic() - started)


def _answer(connection: PGconn) -> PGresult:
    """The answer to what was sent. Raises psycopg.OperationalError if none comes in ANSWER_SECONDS, or never can."""
    deadline = time.monotonic() + ANSWER_SECONDS
    poll = select.poll()
    answer: PGresult | None = None
    while True:
        unsent = connection.flush()
        while unsent or connection.is_busy():
            poll.register(connection.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise psycopg.OperationalError(f"PostgreSQL has not answered within {ANSWER_SECONDS:g} s")
            connection.consume_input()
            unsent = connection.flush()
        last = connection.get_result()
        if last is None:
            break
        answer = last
    if answer is None:
        raise psycopg.OperationalError("the connection was lost")
    return answer
