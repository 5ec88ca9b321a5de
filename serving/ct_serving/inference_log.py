"""Every inference reaches raw.inferences: a bounded queue, one writer thread, batched COPY, a spool for bad times.

``add`` never waits and never fails. The writer brings rows to PostgreSQL in batches; while PostgreSQL is away it
brings them to the spool on disk and replays them later. The table's key makes a replay harmless. What is lost with a
SIGKILL is what is in the queue, at most ``flush_seconds`` of traffic. ``Entry.saved`` is set once rows are safe.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import Any

import psycopg

from ct_serving.metrics import Metrics
from ct_serving.raw_table import CREATE_PENDING, InferenceRow, copy_rows, decode, encode
from ct_serving.settings import Settings
from ct_serving.spool import Spool, SpoolFullError

logger = logging.getLogger(__name__)

BATCH_ROWS = 2000
LONGEST_PAUSE = 15.0
# A connection that hangs must end in seconds, for the queue is bounded.
_PATIENCE = "-c statement_timeout=10s"
_ROW_AT_FAULT = (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError)


@dataclass(slots=True)
class Entry:
    """The rows of one request on their way; ``saved`` is set when they are in PostgreSQL or in the spool."""

    rows: Sequence[InferenceRow]
    saved: Event = field(default_factory=Event)


class InferenceLog:
    """The way of inferences into RAW. ``start`` it, ``add`` from any thread, ``close`` it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[Entry] = deque()
        self._queued_rows = 0
        self._changed = Condition()
        self._closing = False
        self._deadline = float("inf")
        self._thread = Thread(target=self._run, name="inference-log", daemon=True)
        self._connection: psycopg.Connection[Any] | None = None
        self._spool: Spool | None = None
        self._pause = 0.0
        self._next_try = 0.0
        self.trouble: dict[str, str] = {}
        """What is degraded now, by part, in words; read by ``/health/ready``."""

    def start(self) -> None:
        """Open the spool and begin to write; a spool that cannot be opened is a degradation, not a failure."""
        try:
            self._open_spool()
        except (OSError, sqlite3.Error) as error:
            self.trouble["spool"] = f"the spool {self._settings.spool_directory} cannot be opened: {error}"
            logger.error("%s", self.trouble["spool"])  # noqa: TRY400
        self._thread.start()

    def add(self, rows: Sequence[InferenceRow]) -> Entry:
        """Take ``rows``; they are dropped and counted if the queue is at its cap."""
        entry = Entry(rows)
        with self._changed:
            if self._queued_rows + len(rows) > self._settings.queue_max_rows or self._closing:
                self._drop(len(rows), "shutdown" if self._closing else "queue_full")
                return entry
            self._queue.append(entry)
            self._queued_rows += len(rows)
            self._metrics.queue_size.set(self._queued_rows)
            self._changed.notify()
        return entry

    def close(self) -> None:
        """Bring what is queued to PostgreSQL or to the spool, then stop; gives up after ``shutdown_seconds``."""
        with self._changed:
            self._closing = True
            self._deadline = time.monotonic() + self._settings.shutdown_seconds
            self._changed.notify()
        self._thread.join(self._settings.shutdown_seconds + 5)
        with self._changed:
            if self._queued_rows:
                self._drop(self._queued_rows, "shutdown")

    def _run(self) -> None:
        while True:
            entries = self._take()
            try:
                if entries:
                    self._save(entries)
                elif self._closing:
                    break
                if not self._closing and self._spool is not None and len(self._spool) and self._database_may_be_there():
                    self._replay()
            except Exception:
                # The writer must outlive every surprise; what it holds goes back to the queue.
                logger.exception("the inference log met an unforeseen error; the rows stay queued")
                self._put_back(entries)
                time.sleep(1)
            if self._closing and time.monotonic() > self._deadline:
                break
        if self._connection is not None:
            self._connection.close()
        if self._spool is not None:
            self._spool.close()

    def _take(self) -> list[Entry]:
        with self._changed:
            if not self._queue and not self._closing:
                spooled = self._spool is not None and len(self._spool) > 0
                self._changed.wait(max(0.02, self._next_try - time.monotonic()) if spooled else 30)
            if self._queue and not self._closing and self._queued_rows < BATCH_ROWS and self._settings.flush_seconds:
                self._changed.wait_for(
                    lambda: self._closing or self._queued_rows >= BATCH_ROWS, timeout=self._settings.flush_seconds
                )
            taken: list[Entry] = []
            rows = 0
            while self._queue and rows < BATCH_ROWS:
                entry = self._queue.popleft()
                rows += len(entry.rows)
                taken.append(entry)
            return taken

    def _put_back(self, entries: list[Entry]) -> None:
        with self._changed:
            self._queue.extendleft(reversed(entries))

    def _done(self, entries: list[Entry]) -> None:
        with self._changed:
            self._queued_rows -= sum(len(entry.rows) for entry in entries)
            self._metrics.queue_size.set(self._queued_rows)
        for entry in entries:
            entry.saved.set()

    def _save(self, entries: list[Entry]) -> None:
        rows = [row for entry in entries for row in entry.rows]
        if self._database_may_be_there() and self._store(rows):
            self._done(entries)
            return
        try:
            spool = self._open_spool() if self._spool is None else self._spool
            spool.append(self._encoded(rows))
        except SpoolFullError as error:
            self._drop(len(rows), "spool_full")
            self.trouble["spool"] = str(error)
            self._done(entries)
        except (OSError, sqlite3.Error) as error:
            if self._closing:
                self._drop(len(rows), "shutdown")
                self._done(entries)
                return
            # Neither PostgreSQL nor the disk takes them: they wait in memory, up to the queue's cap.
            self.trouble["spool"] = f"the spool cannot be written: {error}"
            logger.error("%s; %d rows wait in memory", self.trouble["spool"], len(rows))  # noqa: TRY400
            self._put_back(entries)
            time.sleep(0.5)
        else:
            self.trouble.pop("spool", None)
            self._metrics.spooled_rows.set(len(spool))
            self._done(entries)

    def _encoded(self, rows: Sequence[InferenceRow]) -> list[bytes]:
        texts = []
        for row in rows:
            try:
                texts.append(encode(row))
            except (ValueError, TypeError) as error:
                self._drop(1, "refused")
                logger.error("row %d of request %s cannot be written: %s", row.row_number, row.request_id, error)  # noqa: TRY400
        return texts

    def _replay(self) -> None:
        assert self._spool is not None
        waiting = self._spool.peek(BATCH_ROWS)
        rows = []
        for _, text in waiting:
            try:
                rows.append(decode(text))
            except (ValueError, TypeError) as error:
                self._drop(1, "refused")
                logger.error("a row of the spool cannot be read and is left out: %s: %r", error, text[:500])  # noqa: TRY400
        if self._store(rows):
            self._spool.remove([number for number, _ in waiting])
            self._metrics.spooled_rows.set(len(self._spool))
            if not len(self._spool):
                self.trouble.pop("spool", None)
                logger.info("the spool is empty again: every inference that waited is in PostgreSQL")

    def _store(self, rows: list[InferenceRow]) -> bool:
        """Write rows to PostgreSQL; False if it is away. A row that PostgreSQL refuses for what it is, is dropped."""
        try:
            connection = self._connect()
            try:
                copy_rows(connection, rows)
                self._metrics.stored.inc(len(rows))
            except _ROW_AT_FAULT:
                self._store_singly(connection, rows)
        except psycopg.Error as error:
            self._database_is_away(error)
            return False
        if "database" in self.trouble:
            logger.info("PostgreSQL takes inferences again")
            self.trouble.pop("database", None)
        self._pause = self._next_try = 0.0
        return True

    def _store_singly(self, connection: psycopg.Connection[Any], rows: list[InferenceRow]) -> None:
        for row in rows:
            try:
                copy_rows(connection, [row])
                self._metrics.stored.inc()
            except _ROW_AT_FAULT as error:
                self._drop(1, "refused")
                logger.error("PostgreSQL refuses row %d of request %s: %s", row.row_number, row.request_id, error)  # noqa: TRY400

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            if not self._settings.database_url:
                raise psycopg.OperationalError("CT_DATABASE_URL is not set")
            connection = psycopg.connect(
                self._settings.database_url,
                application_name="ct_serving",
                autocommit=True,
                connect_timeout=3,
                tcp_user_timeout=5000,
                keepalives_idle=5,
                options=_PATIENCE,
            )
            connection.execute(CREATE_PENDING)
            self._connection = connection
        return self._connection

    def _database_may_be_there(self) -> bool:
        return time.monotonic() >= self._next_try or "database" not in self.trouble

    def _database_is_away(self, error: psycopg.Error) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if "database" not in self.trouble:
            logger.warning(
                "PostgreSQL does not take inferences: %s; they go to the spool %s", error, self._settings.spool_directory
            )
        self.trouble["database"] = f"inferences wait in the spool: {str(error).strip() or type(error).__name__}"
        self._pause = min(LONGEST_PAUSE, max(0.5, self._pause * 2))
        self._next_try = time.monotonic() + self._pause

    def _open_spool(self) -> Spool:
        """Open the spool. Raises OSError or sqlite3.Error."""
        spool = Spool(self._settings.spool_directory, self._settings.spool_max_rows)
        self._metrics.spooled_rows.set(len(spool))
        self._spool = spool
        return spool

    def _drop(self, rows: int, reason: str) -> None:
        self._metrics.dropped.labels(reason).inc(rows)
        if "dropped" not in self.trouble:
            logger.error("%d inferences were dropped (%s); ct_inference_log_dropped_total counts on", rows, reason)
        self.trouble["dropped"] = f"inferences were dropped since the start, last because of {reason}"
