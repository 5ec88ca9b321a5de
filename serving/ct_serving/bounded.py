"""Work that may take long, in threads of its own: it never takes the event loop or the threads of ``/predict``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """As many calls run and wait as may."""


class BoundedPool:
    """``threads`` calls at a time, ``waiting`` more in a queue, and no more. For one event loop."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs. Raises BusyError at once if there is none."""
        if self._taken >= self._most:
            raise BusyError(f"{self._taken} calls are running or waiting")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``, from a thread; the caller holds a place. A caller that goes away cancels what still waits."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Take nothing more; what waits is dropped, what runs ends with its thread."""
        self._executor.shutdown(wait=False, cancel_futures=True)
