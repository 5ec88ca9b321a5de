"""``continuous-training``: run one step by hand, with the same runner as Airflow and without Airflow."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ct_contract import ContractError, ExitCode, SecretRef, TaskCall, TaskInput

from continuous_training.provider_info import STEPS
from continuous_training.runners.base import RunnerError
from continuous_training.runners.process import ProcessRunner
from continuous_training.settings import OPTIONS, SECTION
from continuous_training.version import __version__

log = logging.getLogger("continuous_training")

DATABASE_VARIABLE = "CT_DATABASE_URL"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status of the task, or 2 if it could not be started."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s: %(message)s", stream=sys.stderr)
    runner = ProcessRunner(arguments.environments)
    try:
        call = task_call(arguments.task, _read(arguments.input), os.environ)
        outcome = runner.run(call, log=log)
    except KeyboardInterrupt:
        runner.stop()
        return 130
    except (RunnerError, ContractError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
    if outcome.result is not None:
        sys.stdout.write(outcome.result.to_json() + "\n")
    elif outcome.status == ExitCode.DONE:
        log.error("%s ended with exit status 0 but left no result, which is a failure", arguments.task)
        return ExitCode.ERROR
    else:
        log.error("%s failed: %s", arguments.task, outcome.describe())
    return outcome.status if outcome.status >= 0 else 128 - outcome.status


def task_call(task: str, payload: TaskInput, environ: Mapping[str, str]) -> TaskCall:
    """The same call that an operator makes, its variables from this environment. Raises ContractError."""
    if payload.task != task:
        raise ContractError(f"the input is for {payload.task}, not for {task}")
    env = {name: value for name, value in environ.items() if name.startswith(("CT_", "MLFLOW_")) and name != DATABASE_VARIABLE}
    secret = SecretRef(
        name=DATABASE_VARIABLE, secret=OPTIONS["database_secret"].default, key=OPTIONS["database_secret_key"].default
    )
    return TaskCall(image="", command=("python", "-m", f"ct_{task}"), payload=payload, env=env, secrets=(secret,))


def _read(file: str) -> TaskInput:
    return TaskInput.from_json(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="continuous-training", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    topics = parser.add_subparsers(required=True, metavar="TOPIC")
    verbs = topics.add_parser("task", help="one step of the pipeline").add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser(
        "run",
        help="run a step from a saved input",
        description=f"Run a step from a saved input. The task sees {DATABASE_VARIABLE}, CT_* and MLFLOW_* of this environment. "
        "Its log goes to standard error, its result to standard output, and its exit status is this command's.",
    )
    run.add_argument("task", choices=STEPS)
    run.add_argument("--input", required=True, metavar="FILE", help="the task input as JSON, - for standard input")
    run.add_argument("--runner", choices=["process"], default="process", help="where it runs (default: process)")
    run.add_argument(
        "--environments",
        type=Path,
        default=os.environ.get(f"AIRFLOW__{SECTION.upper()}__ENVIRONMENTS") or OPTIONS["environments"].default,
        metavar="DIR",
        help="the directory that has one Python environment for each task image (default: %(default)s)",
    )
    return parser
