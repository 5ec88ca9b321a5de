"""``task run``: run a step by hand, from the call that Airflow kept or from a saved input."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ct_contract import ContractError, ExitCode, SecretRef, TaskCall, TaskInput

from continuous_training.cli.airflow_api import AirflowApi
from continuous_training.cli.parser import SCRATCH_STEP, setting
from continuous_training.cli.scratch import refuse_collect, scratch_copy, with_source
from continuous_training.kept_calls import ADMIN_VARIABLE, KeptCall, Places
from continuous_training.runners.base import Runner
from continuous_training.runners.docker import DockerRunner
from continuous_training.runners.process import ProcessRunner

log = logging.getLogger("continuous_training")

DATABASE_VARIABLE = "CT_DATABASE_URL"

OURS = ("CT_", "MLFLOW_")

NOT_THE_TASKS = ("CT_AIRFLOW_", "CT_DATABASE_URL", "CT_ADMIN_DATABASE_URL", "CT_INPUT", "CT_RESULT_PATH")
"""Variables of this environment that are for the command line or are given to the task in another way."""


def run(arguments: argparse.Namespace) -> int:
    """Run it; returns the exit status of the task. Raises CommandError, RunnerError, ContractError."""
    if arguments.input:
        kept = saved(arguments.task, _read(arguments.input), os.environ)
    else:
        api = AirflowApi(arguments.airflow_url, arguments.username)
        kept = api.kept_call(arguments.dag_id, arguments.run, arguments.task, arguments.map_index)
    kept = as_asked(kept, arguments)
    if arguments.input or arguments.in_place:
        if not arguments.input:
            log.warning("In place: %s acts on the real database and models", kept.task_id)
        return _launch(kept, arguments)
    if not arguments.source_url:
        refuse_collect(kept)
    with scratch_copy(
        kept, lambda: make_runner(arguments, kept.places, keep=False), keep=arguments.keep, runner=arguments.runner
    ) as copied:
        return _launch(copied, arguments)


def launch_saved(arguments: argparse.Namespace, payload: TaskInput, environ: Mapping[str, str]) -> int:
    """Run a step on an input of this command's own, on the real state. Raises CommandError, RunnerError, ContractError."""
    return _launch(as_asked(saved(payload.task, payload, environ), arguments), arguments)


def saved(task: str, payload: TaskInput, environ: Mapping[str, str]) -> KeptCall:
    """The call that an operator would make for an input, its variables from this environment. Raises ContractError."""
    if payload.task != task:
        raise ContractError(f"the input is for {payload.task}, not for {task}")
    env = {name: value for name, value in environ.items() if name.startswith(OURS) and not name.startswith(NOT_THE_TASKS)}
    image = _image(task)
    database = SecretRef(name=DATABASE_VARIABLE, secret=setting("database_secret"), key=setting("database_secret_key"))
    admin = SecretRef(name=ADMIN_VARIABLE, secret=setting("admin_database_secret"), key=setting("admin_database_secret_key"))
    call = TaskCall(
        image=image,
        command=("python", "-m", f"ct_{task}"),
        payload=payload,
        env={"CT_IMAGE": image, **env},
        secrets=(database, admin) if task == SCRATCH_STEP else (database,),
    )
    places = Places(
        runner="process",
        environments=setting("environments"),
        docker_network=setting("docker_network"),
        namespace=setting("namespace"),
        service_account=setting("service_account"),
        sidecar_image=setting("xcom_sidecar_image") or _image("xcom-sidecar"),
        scratch_image=_image("scratch"),
        admin=admin,
    )
    return KeptCall(task_id=task, map_index=-1, call=call, places=places)


def make_runner(arguments: argparse.Namespace, places: Places, *, keep: bool) -> Runner:
    """A runner of the kind that was asked for; a run by hand is no task's try, and takes up none."""
    if arguments.runner == "process":
        return ProcessRunner(places.environments)
    if arguments.runner == "docker":
        return DockerRunner({"by_hand": uuid.uuid4().hex}, network=places.docker_network, keep=keep)
    # The client is slow to load, and the other places do not need it.
    from continuous_training.runners.kubernetes import KubernetesRunner

    return KubernetesRunner(places, keep=keep)


def as_asked(kept: KeptCall, arguments: argparse.Namespace) -> KeptCall:
    """The call with what the options say otherwise."""
    places = kept.places
    # Where a worker has its environments is no business of this machine, if it has its own.
    environments = arguments.environments or _environments(places)
    places = replace(
        places,
        environments=str(environments),
        docker_network=arguments.network or places.docker_network,
        namespace=arguments.namespace or places.namespace,
        scratch_image=getattr(arguments, "scratch_image", None) or places.scratch_image,
    )
    kept = replace(kept, places=places)
    if arguments.image:
        env = {**kept.call.env, "CT_IMAGE": arguments.image}
        kept = replace(kept, call=replace(kept.call, image=arguments.image, env=env))
    source_url = getattr(arguments, "source_url", None)
    return with_source(kept, source_url) if source_url else kept


def _environments(places: Places) -> str:
    return places.environments if Path(places.environments).is_dir() else setting("environments")


def _launch(kept: KeptCall, arguments: argparse.Namespace) -> int:
    runner, call = make_runner(arguments, kept.places, keep=arguments.keep), kept.call
    if arguments.shell:
        sys.stderr.write(f"The step is run by: {shlex.join(call.command)}\nIts input is in CT_INPUT. Leave with exit.\n")
        return runner.interact(call, ["sh"])
    if arguments.pdb:
        return runner.interact(call, [call.command[0], "-m", "pdb", *call.command[1:]])
    try:
        outcome = runner.run(call, log=log)
    except KeyboardInterrupt:
        runner.stop()
        raise
    if outcome.result is not None:
        sys.stdout.write(outcome.result.to_json() + "\n")
    elif outcome.status == ExitCode.DONE:
        log.error("%s ended with exit status 0 but left no result, which is a failure", kept.task_id)
        return ExitCode.ERROR
    else:
        log.error("%s failed: %s", kept.task_id, outcome.describe())
    return outcome.status if outcome.status >= 0 else 128 - outcome.status


def _image(name: str) -> str:
    return f"{setting('image_prefix')}{name}:{setting('image_tag')}"


def _read(file: str) -> TaskInput:
    return TaskInput.from_json(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
