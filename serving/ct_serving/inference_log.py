"""Every inference reaches raw.inferences: a bounded queue, one writer thread, group commits, a spool for bad times.

``add`` never waits and never fails. The writer takes what has come while it wrote and brings it to PostgreSQL in one
transaction; while PostgreSQL is away it brings it to the spool on disk, and replays that later. The table's key makes a
replay harmless. An `Entry` learns when its rows are safe, which is what the durable mode waits for; otherwise what is lost
with a SIGKILL is what is in the queue, at most ``flush_seconds`` of traffic.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread

import psycopg

from ct_serving.database import Database, RowAtFaultError
from ct_serving.metrics import Metrics
from ct_serving.raw_table import InferenceRow, encode
from ct_serving.settings import Settings
from ct_serving.spool import Spool, SpoolFullError

logger = logging.getLogger(__name__)

BATCH_ROWS = 2000
"""The most rows of one transaction, but for a request that has more."""
BATCH_BYTES = 16_000_000
"""And their most bytes."""
QUEUE_BYTES = 256_000_000
"""The cap of the queue in bytes, for rows may be large."""
REPLAY_ROWS = 500
"""The most rows of the spool between two groups of fresh ones: those that wait for an answer are not to wait long."""


class Entry:
    """Encoded rows on their way. ``told`` is called once, in the writer's thread, with whether they are safe."""

    __slots__ = ("kept", "rows", "size", "told")

    def __init__(self, rows: Sequence[bytes], told: Callable[[bool], None] | None = None) -> None:
        self.rows = rows
        self.size = sum(map(len, rows))
        self.told = told
        self.kept: bool | None = None
        """True once the rows are in PostgreSQL or in the spool, False once they are dropped."""

    def end(self, kept: bool) -> None:
        """Say how it went."""
        self.kept = kept
        if self.told is not None:
            self.told(kept)


class InferenceLog:
    """The way of inferences into RAW. ``start`` it, ``add`` from any thread, ``close`` it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._flush_seconds = 0.0 if settings.durable else settings.flush_seconds
        self._queue: deque[Entry] = deque()
        self._queued_rows = 0
        self._queued_bytes = 0
        self._changed = Condition()
        self._closing = False
        self._deadline = float("inf")
        self._thread = Thread(target=self._run, name="inference-log", daemon=True)
        self._database = Database(settings.database_url)
        self._spool: Spool | None = None
        self._own_trouble: dict[str, str] = {}
        metrics.queue_size.set_function(lambda: self._queued_rows)

    @property
    def trouble(self) -> dict[str, str]:
        """What is degraded now, by part, in words; read by ``/health/ready``."""
        found = dict(self._own_trouble)
        away = self._database.trouble
        return found if away is None else {"database": f"inferences wait in the spool: {away}", **found}

    def start(self) -> None:
        """Open the spool and begin to write; a spool that cannot be opened is a degradation, not a failure."""
        try:
            self._open_spool()
        except (OSError, sqlite3.Error) as error:
            self._own_trouble["spool"] = f"the spool {self._settings.spool_directory} cannot be opened: {error}"
            logger.error("%s", self._own_trouble["spool"])  # noqa: TRY400
        self._database.start()
        self._thread.start()

    def add(self, rows: Sequence[InferenceRow], told: Callable[[bool], None] | None = None) -> Entry:
        """Take ``rows``; they are dropped and counted if the queue is at its cap. ``told`` is as of `Entry`."""
        return self.add_encoded(self.encoded(rows), told)

    def add_encoded(self, rows: Sequence[bytes], told: Callable[[bool], None] | None = None) -> Entry:
        """Take rows that are encoded already; otherwise like ``add``."""
        entry = Entry(rows, told)
        with self._changed:
            fits = self._queued_rows + len(rows) <= self._settings.queue_max_rows and not self._closing
            fits = fits and self._queued_bytes + entry.size <= QUEUE_BYTES
            if fits:
                self._queue.append(entry)
                self._queued_rows += len(rows)
                self._queued_bytes += entry.size
                self._changed.notify()
        if not fits:
            self._drop(len(rows), "shutdown" if self._closing else "queue_full")
            entry.end(kept=False)
        return entry

    async def keep(self, rows: Sequence[bytes]) -> bool:
        """Take encoded rows; in durable mode return once they are safe, or False if they are not in ``durable_seconds``."""
        if not self._settings.durable:
            self.add_encoded(rows)
            return True
        loop = asyncio.get_running_loop()
        safe: asyncio.Future[bool] = loop.create_future()

        def told(kept: bool) -> None:
            loop.call_soon_threadsafe(lambda: None if safe.done() else safe.set_result(kept))

        self.add_encoded(rows, told)
        try:
            return await asyncio.wait_for(safe, self._settings.durable_seconds)
        except TimeoutError:
            return False

    @property
    def half_full(self) -> bool:
        """Whether what can be left out should be."""
        return self._queued_rows * 2 > self._settings.queue_max_rows

    def close(self) -> None:
        """Bring what is queued to PostgreSQL or to the spool, then stop; gives up after ``shutdown_seconds``."""
        with self._changed:
            self._closing = True
            self._deadline = time.monotonic() + self._settings.shutdown_seconds
            self._changed.notify()
        self._thread.join(self._settings.shutdown_seconds + 5)
        self._database.close()
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
                if not self._closing and self._spool is not None and len(self._spool) and self._database.ready:
                    self._replay(self._spool)
            except Exception:
                # The writer must outlive every surprise; what it holds goes back to the queue.
                logger.exception("the inference log met an unforeseen error; the rows stay queued")
                self._put_back(entries)
                time.sleep(1)
            if self._closing and time.monotonic() > self._deadline:
                break
        if self._spool is not None:
            self._spool.close()

    def _take(self) -> list[Entry]:
        with self._changed:
            if not self._queue and not self._closing:
                spooled = self._spool is not None and len(self._spool) > 0
                self._changed.wait((0.005 if self._database.ready else 0.1) if spooled else 30)
            if self._queue and not self._closing and self._queued_rows < BATCH_ROWS and self._flush_seconds:
                self._changed.wait_for(lambda: self._closing or self._queued_rows >= BATCH_ROWS, timeout=self._flush_seconds)
            taken: list[Entry] = []
            rows = size = 0
            while self._queue:
                entry = self._queue[0]
                rows, size = rows + len(entry.rows), size + entry.size
                if taken and (rows > BATCH_ROWS or size > BATCH_BYTES):
                    break
                taken.append(self._queue.popleft())
            return taken

    def _put_back(self, entries: list[Entry]) -> None:
        with self._changed:
            self._queue.extendleft(entry for entry in reversed(entries) if entry.kept is None)

    def _end(self, entries: list[Entry], *, kept: bool) -> None:
        with self._changed:
            self._queued_rows -= sum(len(entry.rows) for entry in entries)
            self._queued_bytes -= sum(entry.size for entry in entries)
        for entry in entries:
            entry.end(kept)

    def _save(self, entries: list[Entry]) -> None:
        rows = [row for entry in entries for row in entry.rows]
        if self._database.ready and self._store(rows):
            self._end(entries, kept=True)
            return
        try:
            spool = self._open_spool() if self._spool is None else self._spool
            spool.append(rows)
        except SpoolFullError as error:
            self._drop(len(rows), "spool_full")
            self._own_trouble["spool"] = str(error)
            self._end(entries, kept=False)
        except (OSError, sqlite3.Error) as error:
            if self._closing:
                self._drop(len(rows), "shutdown")
                self._end(entries, kept=False)
                return
            # Neither PostgreSQL nor the disk takes them: they wait in memory, up to the queue's cap.
            self._own_trouble["spool"] = f"the spool cannot be written: {error}"
            logger.error("%s; %d rows wait in memory", self._own_trouble["spool"], len(rows))  # noqa: TRY400
            self._put_back(entries)
            time.sleep(0.5)
        else:
            self._own_trouble.pop("spool", None)
            self._metrics.spooled_rows.set(len(spool))
            self._end(entries, kept=True)

    def encoded(self, rows: Sequence[InferenceRow]) -> list[bytes]:
        """The rows as ``add_encoded`` takes them; one that cannot be written is dropped and counted."""
        texts = []
        for row in rows:
            try:
                texts.append(encode(row))
            except (ValueError, TypeError) as error:
                self._drop(1, "refused")
                logger.error("row %d of request %s cannot be written: %s", row.row_number, row.request_id, error)  # noqa: TRY400
        return texts

    def _replay(self, spool: Spool) -> None:
        waiting = spool.peek(REPLAY_ROWS, BATCH_BYTES)
        if waiting and self._store([row for _, row in waiting]):
            spool.remove_to(waiting[-1][0])
        self._metrics.spooled_rows.set(len(spool))
        if not len(spool):
            self._own_trouble.pop("spool", None)
            logger.info("the spool is empty again: every inference that waited is in PostgreSQL")

    def _store(self, rows: Sequence[bytes]) -> bool:
        """Write rows to PostgreSQL; False if it is away. A row that PostgreSQL refuses for what it is, is dropped."""
        try:
            self._database.insert(rows)
        except RowAtFaultError as error:
            if len(rows) > 1:
                # Halves, so that one bad row among many costs little.
                middle = len(rows) // 2
                return self._store(rows[:middle]) and self._store(rows[middle:])
            self._drop(1, "refused")
            logger.error("PostgreSQL refuses an inference: %s: %r", error, rows[0][:500])  # noqa: TRY400
            return True
        except psycopg.Error:
            return False
        self._metrics.stored.inc(len(rows))
        return True

    def _open_spool(self) -> Spool:
        """Open the spool. Raises OSError or sqlite3.Error."""
        spool = Spool(self._settings.spool_directory, self._settings.spool_max_rows)
        self._metrics.spooled_rows.set(len(spool))
        self._spool = spool
        return spool

    def _drop(self, rows: int, reason: str) -> None:
        self._metrics.dropped.labels(reason).inc(rows)
        if "dropped" not in self._own_trouble:
            logger.error("%d inferences were dropped (%s); ct_inference_log_dropped_total counts on", rows, reason)
        self._own_trouble["dropped"] = f"inferences were dropped since the start, last because of {reason}"
