"""Hold a step where it writes its last table: everything before is done, its last word is not, and no clock decides it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

LAST_WRITTEN = {
    "collect": "raw.batches",
    "validate": "audit.validations",
    "clean": "clean.batches",
    "assess": "audit.decisions",
    "train": "audit.model_events",
    "evaluate": "audit.model_events",
    "promote": "audit.model_events",
}


@contextmanager
def held(owner_url: str, task: str) -> Iterator[Callable[..., None]]:
    """Keep a step from writing its last table while the block runs.

    Yields a function that returns once the step waits there; it calls ``check`` meanwhile, which may raise.
    """
    table = LAST_WRITTEN[task]
    waiting = (
        "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(owner_url) as holder, psycopg.connect(owner_url, autocommit=True) as watcher:
        # Readers and everything else go on.
        holder.execute(f"LOCK TABLE {table} IN SHARE MODE")

        def reached(check: Callable[[], Any], seconds: float = 120) -> None:
            deadline = time.monotonic() + seconds
            while not watcher.execute(waiting, (table,)).fetchone():
                check()
                assert time.monotonic() < deadline, f"{task} never came to {table}"
                time.sleep(0.02)

        yield reached
