"""``task show``: the kept call of a task, and the commands that run it again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from continuous_training.cli.airflow_api import AirflowApi
from continuous_training.commands import debug_commands
from continuous_training.kept_calls import KeptCall


def show(arguments: argparse.Namespace) -> int:
    """Print it. Raises CommandError."""
    api = AirflowApi(arguments.airflow_url, arguments.username)
    kept = api.kept_call(arguments.dag_id, arguments.run, arguments.task, arguments.map_index)
    text = json.dumps(kept.to_dict(), indent=2) if arguments.json else "\n".join(_lines(kept))
    sys.stdout.write(f"{text}\n")
    return 0


def _lines(kept: KeptCall) -> Iterator[str]:
    call, payload, places = kept.call, kept.call.payload, kept.places
    yield f"{kept.task_id} of {payload.run_id} in {payload.dag_id}, try {payload.try_number}: the step {payload.task}"
    yield ""
    yield f"  runner     {places.runner}" + (f", pod {places.pod} in {places.namespace}" if places.pod else "")
    yield f"  image      {call.image}"
    yield f"  command    {' '.join(call.command)}"
    yield f"  limits     {', '.join(f'{name} {amount}' for name, amount in call.limits.items()) or 'none'}"
    yield from _table("inputs", {name: json.dumps(value, ensure_ascii=False) for name, value in payload.inputs.items()})
    yield from _table("variables", dict(call.env))
    yield from _table("secrets", {secret.name: f"{secret.key} in {secret.secret}" for secret in call.secrets})
    yield ""
    for name, command in debug_commands(kept).items():
        yield f"# {name.replace('_', ' ')}"
        yield command


def _table(title: str, values: dict[str, str]) -> Iterator[str]:
    yield f"  {title}" + ("" if values else "     none")
    width = max(map(len, values), default=0)
    for name, value in values.items():
        yield f"    {name:<{width}}  {value}"
