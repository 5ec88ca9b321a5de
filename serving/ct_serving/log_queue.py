"""What waits in memory to be written: a bounded queue that never waits for room."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence, Set
from threading import Condition

logger = logging.getLogger(__name__)

BATCH_ROWS = 2000
"""The most rows of one transaction, but for a request that has more."""
BATCH_BYTES = 16_000_000
"""And their most bytes."""
QUEUE_BYTES = 256_000_000
"""The cap of the queue in bytes, for rows may be large."""


class Entry:
    """Encoded rows on their way. ``told`` is called once, mostly in the writer's thread, with whether all of them are safe."""

    __slots__ = ("kept", "rows", "size", "told")

    def __init__(self, rows: Sequence[bytes], told: Callable[[bool], None] | None = None) -> None:
        self.rows = rows
        self.size = sum(map(len, rows))
        self.told = told
        self.kept: bool | None = None
        """True once the rows are in PostgreSQL or in the spool, False once one of them is dropped."""

    def end(self, kept: bool) -> None:
        """Say how it went."""
        self.kept = kept
        if self.told is None:
            return
        try:
            self.told(kept)
        except Exception:
            # Others wait to be told, too.
            logger.exception("nobody could be told of %d rows (safe: %s)", len(self.rows), kept)


class LogQueue:
    """Entries in the order of their arrival, offered from any thread and taken by one."""

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        self.rows = 0
        """Rows that are offered and not ended, also those that are being written."""
        self.closing = False
        self._bytes = 0
        self._entries: deque[Entry] = deque()
        self._changed = Condition()

    def offer(self, entry: Entry) -> bool:
        """Take an entry; False if it does not fit, or if nothing is taken any more."""
        with self._changed:
            if self.closing or self.rows + len(entry.rows) > self.most_rows or self._bytes + entry.size > QUEUE_BYTES:
                return False
            self._entries.append(entry)
            self.rows += len(entry.rows)
            self._bytes += entry.size
            self._changed.notify()
            return True

    def take(self, patience: float, gather: float) -> list[Entry]:
        """The oldest entries, as many as one transaction may hold.

        Waits up to ``patience`` seconds for the first and ``gather`` seconds more for its company; neither while closing.
        """
        with self._changed:
            if not self._entries and not self.closing:
                self._changed.wait(patience)
            if gather and self._entries and not self.closing and self.rows < BATCH_ROWS:
                self._changed.wait_for(lambda: self.closing or self.rows >= BATCH_ROWS, timeout=gather)
            taken: list[Entry] = []
            rows = size = 0
            while self._entries:
                entry = self._entries[0]
                rows, size = rows + len(entry.rows), size + entry.size
                if taken and (rows > BATCH_ROWS or size > BATCH_BYTES):
                    break
                taken.append(self._entries.popleft())
            return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Have entries that were taken, and are not ended, be the next again."""
        with self._changed:
            self._entries.extendleft(entry for entry in reversed(entries) if entry.kept is None)

    def end(self, entries: Sequence[Entry], *, kept: bool, refused: Set[int] = frozenset()) -> None:
        """Let entries go and tell them; ``refused`` are the positions, among all their rows, of those that are lost."""
        with self._changed:
            self.rows -= sum(len(entry.rows) for entry in entries)
            self._bytes -= sum(entry.size for entry in entries)
        first = 0
        for entry in entries:
            after = first + len(entry.rows)
            entry.end(kept and not (refused and any(first <= position < after for position in refused)))
            first = after

    def close(self) -> None:
        """Take nothing more, and wait for nothing."""
        with self._changed:
            self.closing = True
            self._changed.notify()
