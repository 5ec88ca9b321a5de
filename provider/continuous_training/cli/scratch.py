"""The scratch copy that a kept call runs on by hand: made and dropped by a task image of its own, in the same place."""

from __future__ import annotations

import logging
import re
import shlex
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ct_contract import ExitCode, TaskCall, TaskInput, TaskResult

from continuous_training.cli.errors import CommandError
from continuous_training.cli.parser import SCRATCH_STEP
from continuous_training.commands import PROGRAM
from continuous_training.kept_calls import KeptCall
from continuous_training.runners.base import Runner, RunnerError, RunnerUnavailableError

log = logging.getLogger("continuous_training")

COPIED = ("CT_DATABASE_NAME", "CT_MODEL_NAME", "CT_EXPERIMENT")
"""The variables that a step on a copy gets in the place of its own."""

DONE = {"make": "made", "drop": "dropped"}

TOLD_BY_HAND = ("CT_MODEL_NAME", "CT_EXPERIMENT", "MLFLOW_TRACKING_URI")
"""Variables of the real state that a copy is named after, or is reached by."""


class _NothingStartedError(CommandError):
    """The scratch image did not even start, so there is nothing to drop."""


def refuse_collect(kept: KeptCall) -> None:
    """Raise CommandError for a step that a copy of database and models cannot keep from changing something real."""
    if kept.call.payload.task == "collect":
        raise CommandError(
            "collect moves the cursor of the data source, which no scratch copy holds: the next real run would miss a batch. "
            "Nothing ran. Name another source with --source-url URL (a replica), or take the real batch with --in-place"
        )


def with_source(kept: KeptCall, source_url: str) -> KeptCall:
    """The same with another data source. Raises CommandError for a step that has none."""
    payload = kept.call.payload
    if payload.task != "collect":
        raise CommandError(f"--source-url is for collect; {payload.task} asks no data source")
    payload = replace(payload, inputs={**payload.inputs, "source_url": source_url})
    return replace(kept, call=replace(kept.call, payload=payload))


@contextmanager
def scratch_copy(kept: KeptCall, make_runner: Callable[[], Runner], *, keep: bool, runner: str) -> Iterator[KeptCall]:
    """Make a copy as everything was before the task, give the call that runs on it, and drop the copy unless ``keep``.

    ``runner`` is the name of what ``make_runner`` makes.

    Raises CommandError if it could not be made; then nothing else ran.
    """
    name = f"{re.sub('[^a-z0-9]+', '-', kept.call.payload.task)}-{uuid.uuid4().hex[:8]}"
    payload = kept.call.payload
    wanted = {"verb": "make", "name": name, "dag_id": payload.dag_id, "run_id": payload.run_id, "task": payload.task}
    try:
        made = _run(kept, make_runner(), wanted)
        env = _variables(made)
    except _NothingStartedError:
        raise
    except BaseException:
        # Killed or failed half-way: dropping what is not there is fine.
        _drop(kept, make_runner, name)
        raise
    database = env["CT_DATABASE_NAME"]
    log.info("The step runs on the scratch copy %s", database)
    try:
        yield replace(kept, call=replace(kept.call, env={**kept.call.env, **env}))
    finally:
        if keep:
            log.info("Kept the scratch copy: the database %s, the model %s", database, env["CT_MODEL_NAME"])
            log.info("Drop it: %s", _drop_command(kept, name, runner))
        else:
            _drop(kept, make_runner, name)


def _drop_command(kept: KeptCall, name: str, runner: str) -> str:
    told = [f"{variable}={kept.call.env[variable]}" for variable in TOLD_BY_HAND if variable in kept.call.env]
    text = _payload(kept, {"verb": "drop", "name": name}).to_json()
    command = [PROGRAM, "task", "run", SCRATCH_STEP, "--input", "-", "--runner", runner, "--image", kept.places.scratch_image]
    return f"echo {shlex.quote(text)} | {shlex.join(['env', *told, *command])}"


def _drop(kept: KeptCall, make_runner: Callable[[], Runner], name: str) -> None:
    try:
        _run(kept, make_runner(), {"verb": "drop", "name": name})
    except (CommandError, RunnerError) as error:
        log.error("The scratch copy scratch_%s could not be dropped: %s", name, error)  # noqa: TRY400 - the words say it


def _run(kept: KeptCall, runner: Runner, inputs: Mapping[str, Any]) -> TaskResult:
    call = TaskCall(
        image=kept.places.scratch_image,
        command=("python", "-m", f"ct_{SCRATCH_STEP}"),
        payload=_payload(kept, inputs),
        env={**kept.call.env, "CT_IMAGE": kept.places.scratch_image},
        secrets=(*kept.call.secrets, kept.places.admin),
    )
    try:
        outcome = runner.run(call, log=log)
    except RunnerUnavailableError as error:
        raise CommandError(f"the scratch copy could not be {DONE[inputs['verb']]}: {error}") from error
    except RunnerError as error:
        raise _NothingStartedError(f"the scratch copy could not be {DONE[inputs['verb']]}: {error}") from error
    if outcome.status != ExitCode.DONE or outcome.result is None:
        told = f"{outcome.result.code}: {outcome.result.reason}" if outcome.result else outcome.describe()
        raise CommandError(f"the scratch copy could not be {DONE[inputs['verb']]} ({told})")
    return outcome.result


def _payload(kept: KeptCall, inputs: Mapping[str, Any]) -> TaskInput:
    payload = kept.call.payload
    return TaskInput(task=SCRATCH_STEP, dag_id=payload.dag_id, run_id=payload.run_id, inputs=dict(inputs))


def _variables(made: TaskResult) -> dict[str, str]:
    env = made.summary.get("env")
    if not isinstance(env, dict) or any(not isinstance(env.get(name), str) for name in COPIED):
        raise CommandError(f"the scratch image names no {', '.join(COPIED)}: use images of one release. The step did not run")
    return {name: env[name] for name in COPIED}
