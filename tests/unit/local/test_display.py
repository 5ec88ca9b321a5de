from __future__ import annotations

import io

import pytest
from rich.console import Console

from local.display import LiveDisplay, PlainDisplay, Task

pytestmark = pytest.mark.unit

RUN = "batch 0, 73,784 rows"


def task(name, state, seconds):
    return Task(name=name, state=state, seconds=seconds)


def test_plain_lines_tell_each_end_once():
    text = io.StringIO()
    display = PlainDisplay(Console(file=text, width=160))
    display.job("mlflow", "begun", 0)
    display.job("mlflow", "done", 12.5)
    for _ in range(3):
        display.run(RUN, "running", [task("collect", "success", 3), task("clean", "running", 1)])
    display.run(RUN, "success", [task("clean", "success", 4.25), task("train", "skipped", 0)])
    lines = [line.split("] ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == [
        "mlflow: done in 12.5 s",
        f"{RUN}: collect success in 3.0 s",
        f"{RUN}: clean success in 4.2 s",
        f"{RUN}: run success",
    ]


def test_each_retry_gets_a_line():
    text = io.StringIO()
    display = PlainDisplay(Console(file=text, width=160))
    for state in ("running", "up_for_retry", "up_for_retry", "running", "up_for_retry", "running", "success"):
        display.run(RUN, "running", [task("collect", state, 1)])
    lines = [line.split(": ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == ["collect up_for_retry in 1.0 s", "collect up_for_retry in 1.0 s", "collect success in 1.0 s"]


def test_the_live_picture_has_a_line_a_run_and_a_column_a_task():
    text = io.StringIO()
    display = LiveDisplay(Console(file=text, width=120, force_terminal=True))
    display.job("mlflow", "begun", 0)
    display.run(RUN, "running", [task("collect", "success", 3), task("clean", "running", 61)])
    display.run("run 2", "queued", [])
    display.close()
    shown = text.getvalue()
    for word in ("start: 0 of 1 done", "mlflow", RUN, "collect", "✓ 3 s", "… 61 s", "run 2"):
        assert word in shown
