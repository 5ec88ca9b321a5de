"""Reads and small writes of the routes beside ``/predict``, each in a transaction, from a few threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from ct_serving.bounded import BoundedPool, BusyError
from ct_serving.postgres import connect

T = TypeVar("T")
Connection = psycopg.Connection[dict[str, Any]]

THREADS = 2
WAITING = 32
STATEMENT_SECONDS = 5


class DatabaseAwayError(Exception):
    """PostgreSQL does not answer, or not in time."""


class Database:
    """PostgreSQL as serving's own user. Each thread keeps its connection; one that has broken is made again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = BoundedPool("database", THREADS, WAITING)
        self._kept = threading.local()

    async def run(self, work: Callable[[Connection], T]) -> T:
        """``work`` in one transaction; it may be run twice and must not mind.

        Raises DatabaseAwayError, also when too many wait.
        """
        try:
            with self._pool.place():
                return await self._pool.run(lambda: self._run(work))
        except BusyError as error:
            raise DatabaseAwayError(f"too many questions to the database: {error}") from error

    def _run(self, work: Callable[[Connection], T]) -> T:
        kept: Connection | None = getattr(self._kept, "connection", None)
        try:
            if kept is not None:
                try:
                    with kept.transaction():
                        return work(kept)
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    if not kept.closed:
                        raise
            fresh = connect(self._url, "ct_serving_routes", STATEMENT_SECONDS, row_factory=dict_row)
            self._kept.connection = fresh
            with fresh.transaction():
                return work(fresh)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseAwayError(str(error).strip() or type(error).__name__) from error

    def close(self) -> None:
        """Take nothing more; connections end with their threads."""
        self._pool.close()
