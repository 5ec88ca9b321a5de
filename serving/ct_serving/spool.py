"""Inferences that wait on disk while PostgreSQL is away: one SQLite file in WAL mode."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = "inferences.sqlite3"


class SpoolFullError(Exception):
    """The spool holds as many rows as it may; nothing of the call was kept."""


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is no database, or not a whole one, rather than that it cannot be used now."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


class Spool:
    """Rows in order of arrival, as bytes. For one thread; several processes may share a directory.

    A row is removed only after it is safe elsewhere, so a crash in between gives it twice: whoever replays must be
    idempotent. A file that SQLite cannot read is put aside, never deleted.
    """

    def __init__(self, directory: Path, max_rows: int) -> None:
        """Open or create the spool in ``directory``. Raises OSError or sqlite3.Error if that cannot be written."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / FILE_NAME
        self.max_rows = max_rows
        if _is_foreign(self.path):
            _rename(self.path, "it is not SQLite's")
        try:
            self._connection = self._opened()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _rename(self.path, error)
            self._connection = self._opened()

    def _opened(self) -> sqlite3.Connection:
        # Made by the thread that starts the log and used by its writer thread alone.
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=5, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY AUTOINCREMENT, row BLOB NOT NULL)")
            self._count = _counted(connection)
        except sqlite3.Error as error:
            _left(connection, error)
            raise
        return connection

    def __len__(self) -> int:
        """How many rows wait (of this process and of those that it found)."""
        return self._count

    def append(self, rows: Sequence[bytes]) -> None:
        """Keep ``rows``, all or none; when this returns they are on disk. Raises SpoolFullError or sqlite3.Error."""
        if self._count + len(rows) > self.max_rows:
            raise SpoolFullError(f"the spool {self.path} holds {self._count} rows and may hold {self.max_rows}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT INTO pending (row) VALUES (?)", ((row,) for row in rows))
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        # Also what other processes have put there and taken away since.
        self._count = _counted(self._connection)

    def peek(self, limit: int, most_bytes: int = 2**62) -> list[tuple[int, bytes]]:
        """The oldest rows with their ids: at most ``limit``, and ``most_bytes`` but for the first."""
        found: list[tuple[int, bytes]] = []
        size = 0
        for number, row in self._connection.execute("SELECT id, row FROM pending ORDER BY id LIMIT ?", (limit,)):
            size += len(row)
            if found and size > most_bytes:
                break
            found.append((number, row))
        return found

    def remove_to(self, last: int) -> None:
        """Forget the rows up to the id ``last``, which are safe elsewhere. Raises sqlite3.Error.

        Ids are given in the order of the commits, so a row that came after ``peek`` has a higher one.
        """
        self._connection.execute("DELETE FROM pending WHERE id <= ?", (last,))
        self._count = _counted(self._connection)

    def leave(self, error: Exception) -> None:
        """Close the file after an error; one that `is_damage` is renamed, for who can mend it. Raises OSError."""
        _left(self._connection, error)
        if is_damage(error):
            _rename(self.path, error)

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        self._connection.close()


_DAMAGED: list[sqlite3.Connection] = []


def _counted(connection: sqlite3.Connection) -> int:
    # Rows leave from the front only, so that the ends of the index tell how many there are, however many that is.
    first, last = connection.execute("SELECT (SELECT min(id) FROM pending), (SELECT max(id) FROM pending)").fetchone()
    return 0 if first is None else int(last) - int(first) + 1


def _is_foreign(path: Path) -> bool:
    """Whether a file is there and not SQLite's; SQLite would delete what lies beside it."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return file.read(16) not in {b"", b"SQLite format 3\0"}


def _left(connection: sqlite3.Connection, error: Exception) -> None:
    if is_damage(error):
        # To close it would have SQLite write into the file what it believes to be in the one beside it.
        _DAMAGED.append(connection)
    else:
        connection.close()


def _rename(path: Path, error: Exception | str) -> None:
    """Rename a file, and what SQLite keeps beside it, out of the way."""
    aside = f"{path.name}.unreadable-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(aside + suffix))
    logger.error("the spool %s cannot be read (%s); it is kept as %s, and a new one begun", path, error, aside)
