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
from collections.abc import Callable, Sequence
from threading import Thread

import psycopg

from ct_serving.inference_table import InferenceTable, RowAtFaultError
from ct_serving.log_queue import BATCH_BYTES, Entry, LogQueue
from ct_serving.metrics import Metrics
from ct_serving.raw_table import InferenceRow, encode
from ct_serving.settings import Settings
from ct_serving.spool import Spool, SpoolFullError, is_damage

logger = logging.getLogger(__name__)

REPLAY_ROWS = 500
"""The most rows of the spool between two groups of fresh ones: those that wait for an answer are not to wait long."""
REOPEN_SECONDS = 5.0
"""How long a spool that could not be opened, or failed, is left alone."""


class InferenceLog:
    """The way of inferences into RAW. ``start`` it, ``add`` from any thread, ``close`` it."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._flush_seconds = 0.0 if settings.durable else settings.flush_seconds
        self._queue = LogQueue(settings.queue_max_rows)
        self._deadline = float("inf")
        self._thread = Thread(target=self._run, name="inference-log", daemon=True)
        self._table = InferenceTable(settings.database_url)
        self._spool: Spool | None = None
        self._open_again_at = 0.0
        self._own_trouble: dict[str, str] = {}
        metrics.queue_size.set_function(lambda: self._queue.rows)

    @property
    def trouble(self) -> dict[str, str]:
        """What is degraded now, by part, in words; read by ``/health/ready``."""
        found = dict(self._own_trouble)
        away = self._table.trouble
        return found if away is None else {"database": f"inferences wait in the spool: {away}", **found}

    def start(self) -> None:
        """Open the spool and begin to write; a spool that cannot be opened is a degradation, not a failure."""
        self._opened()
        self._table.start()
        self._thread.start()

    def add(self, rows: Sequence[InferenceRow], told: Callable[[bool], None] | None = None) -> Entry:
        """Take ``rows``; they are dropped and counted if the queue is at its cap. ``told`` is as of `Entry`."""
        return self.add_encoded(self.encoded(rows), told)

    def add_encoded(self, rows: Sequence[bytes], told: Callable[[bool], None] | None = None) -> Entry:
        """Take rows that are encoded already; otherwise like ``add``."""
        entry = Entry(rows, told)
        if not self._queue.offer(entry):
            self._drop(len(rows), "shutdown" if self._queue.closing else "queue_full")
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
        return self._queue.rows * 2 > self._queue.most_rows

    def close(self) -> None:
        """Bring what is queued to PostgreSQL or to the spool, then stop; gives up after ``shutdown_seconds``."""
        self._deadline = time.monotonic() + self._settings.shutdown_seconds
        self._queue.close()
        self._thread.join(self._settings.shutdown_seconds + 5)
        self._table.close()
        if self._queue.rows:
            self._drop(self._queue.rows, "shutdown")

    def _run(self) -> None:
        while True:
            entries = self._queue.take(self._patience(), self._flush_seconds)
            try:
                if entries:
                    self._save(entries)
                elif self._queue.closing:
                    break
                if not self._queue.closing:
                    self._replay()
            except Exception:
                # The writer must outlive every surprise; what it holds goes back to the queue.
                logger.exception("the inference log met an unforeseen error; the rows stay queued")
                self._queue.put_back(entries)
                time.sleep(1)
            if self._queue.closing and time.monotonic() > self._deadline:
                break
        if self._spool is not None:
            self._spool.close()

    def _patience(self) -> float:
        """How long to wait for rows, in seconds, before looking after the spool."""
        if self._spool is None:
            return REOPEN_SECONDS
        if not len(self._spool):
            return 30.0
        return 0.005 if self._table.ready else 0.1

    def _save(self, entries: list[Entry]) -> None:
        rows = [row for entry in entries for row in entry.rows]
        refused = self._store(rows) if self._table.ready else None
        if refused is not None:
            self._queue.end(entries, kept=True, refused=refused)
            return
        try:
            spool = self._spool if self._spool is not None else self._open_spool()
            spool.append(rows)
        except SpoolFullError as error:
            self._drop(len(rows), "spool_full")
            self._own_trouble["spool"] = str(error)
            self._queue.end(entries, kept=False)
        except (OSError, sqlite3.Error) as error:
            self._spool_failed(error)
            if self._queue.closing and not is_damage(error):
                self._drop(len(rows), "shutdown")
                self._queue.end(entries, kept=False)
                return
            # Neither PostgreSQL nor the disk takes them: they wait in memory, up to the queue's cap.
            logger.error("%d rows wait in memory", len(rows))  # noqa: TRY400
            self._queue.put_back(entries)
            time.sleep(0 if is_damage(error) else 0.5)
        else:
            self._own_trouble.pop("spool", None)
            self._metrics.spooled_rows.set(len(spool))
            self._queue.end(entries, kept=True)

    def encoded(self, rows: Sequence[InferenceRow]) -> list[bytes]:
        """The rows as ``add_encoded`` takes them; what of one cannot be written is left out of it."""
        texts = []
        for row in rows:
            try:
                texts.append(encode(row))
            except (ValueError, TypeError) as error:
                logger.error("row %d of request %s is kept without its input: %s", row.row_number, row.request_id, error)  # noqa: TRY400
                texts.append(encode(row._replace(input={"unwritable": str(error)}, warnings=None, error=None)))
        return texts

    def _replay(self) -> None:
        """Bring a portion of what waits on disk to PostgreSQL, if both are there."""
        spool = self._spool if self._spool is not None else self._opened()
        if spool is None or not len(spool) or not self._table.ready:
            return
        try:
            waiting = spool.peek(REPLAY_ROWS, BATCH_BYTES)
            if waiting and self._store([row for _, row in waiting]) is not None:
                spool.remove_to(waiting[-1][0])
        except sqlite3.Error as error:
            self._spool_failed(error)
            return
        self._metrics.spooled_rows.set(len(spool))
        if not len(spool):
            self._own_trouble.pop("spool", None)
            logger.info("the spool is empty again: every inference that waited is in PostgreSQL")

    def _store(self, rows: Sequence[bytes], first: int = 0) -> set[int] | None:
        """Write rows to PostgreSQL. None if it is away, else the positions, from ``first``, of those that it refuses.

        A row that PostgreSQL refuses for what it is, is dropped.
        """
        try:
            self._table.insert(rows)
        except RowAtFaultError as error:
            if len(rows) > 1:
                # Halves, so that one bad row among many costs little.
                middle = len(rows) // 2
                early = self._store(rows[:middle], first)
                late = None if early is None else self._store(rows[middle:], first + middle)
                return None if early is None or late is None else early | late
            self._drop(1, "refused")
            logger.error("PostgreSQL refuses an inference: %s: %r", error, rows[0][:500])  # noqa: TRY400
            return {first}
        except psycopg.Error:
            return None
        self._metrics.stored.inc(len(rows))
        return set()

    def _open_spool(self) -> Spool:
        """Open the spool. Raises OSError or sqlite3.Error."""
        spool = Spool(self._settings.spool_directory, self._settings.spool_max_rows)
        self._metrics.spooled_rows.set(len(spool))
        self._spool = spool
        return spool

    def _opened(self) -> Spool | None:
        """The spool, if it can be opened and its pause is over."""
        if time.monotonic() < self._open_again_at:
            return None
        try:
            spool = self._open_spool()
        except (OSError, sqlite3.Error) as error:
            self._spool_failed(error)
            return None
        self._own_trouble.pop("spool", None)
        return spool

    def _spool_failed(self, error: OSError | sqlite3.Error) -> None:
        """Leave the spool: for good if its file is damaged, else for REOPEN_SECONDS."""
        spool, self._spool = self._spool, None
        words = f"the spool {self._settings.spool_directory} cannot be used: {error}"
        if self._own_trouble.get("spool") != words:
            logger.error("%s", words)
        self._own_trouble["spool"] = words
        if spool is not None:
            spool.leave(error)
        if not is_damage(error):
            self._open_again_at = time.monotonic() + REOPEN_SECONDS

    def _drop(self, rows: int, reason: str) -> None:
        self._metrics.dropped.labels(reason).inc(rows)
        if "dropped" not in self._own_trouble:
            logger.error("%d inferences were dropped (%s); ct_inference_log_dropped_total counts on", rows, reason)
        self._own_trouble["dropped"] = f"inferences were dropped since the start, last because of {reason}"
