"""Show what happens: a live picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

FINISHED = ("success", "failed", "skipped", "upstream_failed", "removed")
SHOWN = ("success", "failed", "up_for_retry", "awaiting_input")
"""Of a task, on plain lines: what was skipped follows from what was not."""
MARKS = {
    "success": ("✓", "green"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "upstream_failed": ("✗", "red"),
    "skipped": ("–", "dim"),
    "running": ("…", "yellow"),
    "begun": ("…", "yellow"),
    "up_for_retry": ("↻", "yellow"),
    "awaiting_input": ("?", "yellow"),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of a run as it is shown: ``state`` is Airflow's word, ``seconds`` how long it has run."""

    name: str
    state: str
    seconds: float | None


class Display(Protocol):
    """What the rest of the program tells a person."""

    def job(self, name: str, state: str, seconds: float) -> None:
        """A part of the start has begun, is done or has failed."""

    def run(self, title: str, state: str, tasks: Sequence[Task]) -> None:
        """A run of the pipeline, as it is now."""

    def say(self, text: RenderableType) -> None:
        """Something that stays on the screen."""

    def close(self) -> None:
        """Leave the screen as it is."""


class PlainDisplay:
    """One line for each thing that changed, with the seconds since the beginning."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(width=160, highlight=False)
        self._begun = time.monotonic()
        self._seen: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def _line(self, text: str) -> None:
        with self._lock:
            self.console.print(f"[{time.monotonic() - self._begun:6.1f} s] {text}", markup=False, soft_wrap=True)

    def job(self, name: str, state: str, seconds: float) -> None:
        """Only ends are worth a line."""
        if state != "begun":
            self._line(f"{name}: {state} in {seconds:.1f} s")

    def run(self, title: str, state: str, tasks: Sequence[Task]) -> None:
        """A line when a task ends, is to be tried again or waits for a person, and when the run ends."""
        for task in tasks:
            before, self._seen[title, task.name] = self._seen.get((title, task.name)), task.state
            if task.state in SHOWN and before != task.state:
                took = f" in {task.seconds:.1f} s" if task.seconds is not None else ""
                self._line(f"{title}: {task.name} {task.state}{took}")
        if state in FINISHED and self._seen.get((title, "")) != state:
            self._seen[title, ""] = state
            self._line(f"{title}: run {state}")

    def say(self, text: RenderableType) -> None:
        """As it is."""
        with self._lock:
            self.console.print(text, soft_wrap=isinstance(text, str))

    def close(self) -> None:
        """Nothing is held."""


class LiveDisplay:
    """A picture that is redrawn twice a second: first the start, then one line a run."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._begun = time.monotonic()
        self._jobs: dict[str, tuple[str, float]] = {}
        self._runs: dict[str, tuple[str, Sequence[Task]]] = {}
        self._lock = threading.Lock()
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=2, transient=False)
        self._live.start()

    def job(self, name: str, state: str, seconds: float) -> None:
        """Remember it for the next picture."""
        with self._lock:
            self._jobs[name] = (state, seconds if state != "begun" else time.monotonic())

    def run(self, title: str, state: str, tasks: Sequence[Task]) -> None:
        """Remember it for the next picture."""
        with self._lock:
            self._runs[title] = (state, tuple(tasks))

    def say(self, text: RenderableType) -> None:
        """Above the picture."""
        self.console.print(text)

    def close(self) -> None:
        """Draw it a last time."""
        self._live.stop()

    def _picture(self) -> RenderableType:
        with self._lock:
            elapsed = Text(f"{time.monotonic() - self._begun:.0f} s", style="dim")
            return Group(self._starting(), self._running(), elapsed)

    def _starting(self) -> RenderableType:
        busy = [name for name, (state, _) in self._jobs.items() if state == "begun"]
        done = sum(state == "done" for state, _ in self._jobs.values())
        failed = [name for name, (state, _) in self._jobs.items() if state == "failed"]
        text = Text(f"start: {done} of {len(self._jobs)} done")
        if busy:
            text.append("  " + ", ".join(busy), style="yellow")
        if failed:
            text.append("  failed: " + ", ".join(failed), style="red")
        return text

    def _running(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        columns: list[str] = []
        for _, tasks in self._runs.values():
            columns += [task.name for task in tasks if task.name not in columns]
        table.add_column("run")
        for column in columns:
            table.add_column(column, justify="right")
        for title, (state, tasks) in self._runs.items():
            cells = {task.name: _cell(task.state, task.seconds) for task in tasks}
            mark, style = MARKS.get(state, (" ", ""))
            table.add_row(Text(f"{mark} {title}", style=style), *(cells.get(column, Text("")) for column in columns))
        return table


def _cell(state: str, seconds: float | None) -> Text:
    mark, style = MARKS.get(state, ("", "dim"))
    return Text(f"{mark} {seconds:.0f} s" if seconds is not None and state != "skipped" else mark, style=style)


def make_display(*, live: bool | None = None) -> Display:
    """A live picture if standard output is a terminal, else plain lines."""
    if live if live is not None else sys.stdout.isatty():
        return LiveDisplay(Console())
    return PlainDisplay()
