"""Run jobs that wait for one another, as many at a time as can be."""

from __future__ import annotations

import graphlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

Progress = Callable[[str, Literal["begun", "done", "failed"], float], None]
"""Called with a job's name, what became of it, and the seconds since it began."""


class StoppedError(Exception):
    """Somebody asked to stop while jobs were waiting."""


@dataclass
class Jobs:
    """A set of named jobs; each begins when those in its ``after`` are done.

    Jobs of the lane ``install`` share ``install_lanes`` workers and begin in the order in which they were added: they keep
    disk and network busy, and the early ones are waited for.
    """

    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)
    install_lanes: int = 2
    _actions: dict[str, tuple[Callable[[], object], str]] = field(default_factory=dict)
    _after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _reports: queue.Queue[tuple[str, BaseException | None]] = field(default_factory=queue.Queue)

    def add(self, name: str, action: Callable[[], object], *, after: tuple[str, ...] = (), lane: str = "") -> None:
        """Add one job."""
        self._actions[name] = (action, lane)
        self._after[name] = after

    @property
    def names(self) -> frozenset[str]:
        """Every job there is."""
        return frozenset(self._actions)

    def keep(self, names: tuple[str, ...]) -> None:
        """Forget every job but the named ones and those that they wait for. Raises KeyError for an unknown name."""
        needed: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name not in needed:
                needed.add(name)
                left += self._after[name]
        self._actions = {name: action for name, action in self._actions.items() if name in needed}
        self._after = {name: after for name, after in self._after.items() if name in needed}

    def begin(self) -> None:
        """Start every job that waits for nothing. Raises ValueError if a job waits for one that does not exist."""
        unknown = {name for after in self._after.values() for name in after} - set(self._actions)
        if unknown:
            raise ValueError(f"jobs wait for unknown ones: {sorted(unknown)}")
        self._sorter = graphlib.TopologicalSorter(self._after)
        self._sorter.prepare()
        self._general = ThreadPoolExecutor(max_workers=max(1, len(self._actions)), thread_name_prefix="job")
        self._install = ThreadPoolExecutor(max_workers=self.install_lanes, thread_name_prefix="install")
        self._submit()

    def wait(self, names: tuple[str, ...] = ()) -> None:
        """Return when the named jobs (all by default) are done; `pump` keeps the others going afterwards.

        Raises the first failure, after which nothing new begins, and StoppedError when ``stop`` is set.
        """
        wanted = set(names) or set(self._actions)
        while not wanted <= self._done:
            self.pump(seconds=0.2)

    def pump(self, seconds: float = 0.0) -> None:
        """Take note of what has ended and start what waited for it, waiting at most ``seconds`` for the first news."""
        if self.stop.is_set():
            raise StoppedError
        try:
            while True:
                name, error = self._reports.get(timeout=seconds) if seconds else self._reports.get_nowait()
                self._note(name, error)
                seconds = 0.0
        except queue.Empty:
            return
        except BaseException:
            self.end()
            raise

    def _note(self, name: str, error: BaseException | None) -> None:
        if error is not None:
            raise error
        self._done.add(name)
        self._sorter.done(name)
        self._submit()

    def end(self) -> None:
        """Begin nothing new, and tell what runs to stop."""
        self.stop.set()
        self._general.shutdown(wait=False, cancel_futures=True)
        self._install.shutdown(wait=False, cancel_futures=True)

    def _submit(self) -> None:
        order: Mapping[str, int] = {name: position for position, name in enumerate(self._actions)}
        for name in sorted(self._sorter.get_ready(), key=order.__getitem__):
            action, lane = self._actions[name]
            pool = self._install if lane == "install" else self._general
            pool.submit(self._perform, name, action)

    def _perform(self, name: str, action: Callable[[], object]) -> None:
        begun = time.monotonic()
        self.progress(name, "begun", 0.0)
        try:
            action()
        except BaseException as error:  # raised again where the jobs are waited for
            if not isinstance(error, StoppedError):
                self.progress(name, "failed", time.monotonic() - begun)
            self._reports.put((name, error))
        else:
            self.progress(name, "done", time.monotonic() - begun)
            self._reports.put((name, None))
