"""``policy compare`` and ``lineage``: questions to the record, answered where the steps run, on this terminal."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ct_contract import TaskInput

from continuous_training.cli.errors import CommandError
from continuous_training.cli.run import as_asked, make_runner, saved

HOST = "evaluate"
"""The image that holds the program: it has everything that decides."""

COMMAND = ("python", "-m", "ct_records")

STATUSES: Mapping[int, int] = {0: 0, 10: 1}
"""From the program's exit status to this command's; any other means that there is no answer."""

NO_ANSWER = 2


def ask(arguments: argparse.Namespace) -> int:
    """Ask; returns 0, 1 for a comparison that found differences, 2 without an answer. Raises CommandError, RunnerError."""
    payload = TaskInput(task=HOST, dag_id="by-hand", run_id="by-hand", inputs=_question(arguments))
    kept = as_asked(saved(HOST, payload, os.environ), arguments)
    # The answer may be longer than a task's result, so the program writes to this terminal itself.
    runner = make_runner(arguments, kept.places, keep=False)
    return STATUSES.get(runner.interact(replace(kept.call, command=COMMAND), COMMAND), NO_ANSWER)


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    how = {"question": arguments.verb, "language": arguments.language, "json": arguments.json}
    if arguments.verb == "lineage":
        return {**how, "of": arguments.of, "key": arguments.key}
    base = {"base": _policy(arguments.base)} if arguments.base else {}
    return {**how, "other": _policy(arguments.policy), **base}


def _policy(wanted: str) -> dict[str, str]:
    """A file travels as its text, for where the program runs there is no such file. Raises CommandError."""
    path = Path(wanted)
    if path.is_file():
        return {"source": path.name, "text": path.read_text(encoding="utf-8")}
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise CommandError(f"there is no file {wanted}: give a YAML file that is here, or the name of a shipped policy")
    return {"name": wanted}
