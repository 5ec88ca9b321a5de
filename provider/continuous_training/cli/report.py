"""``report``: what was kept of one run, in words and tables."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from typing import Any

from ct_contract import ExitCode, TaskInput

from continuous_training.cli.run import as_asked, make_runner, saved
from continuous_training.runners.base import RunnerError

log = logging.getLogger("continuous_training")

STEP = "promote"
"""The step whose image has what the report needs: the database and the words."""


def report(arguments: argparse.Namespace) -> int:
    """Print the report as Markdown; returns the exit status of the image. Raises RunnerError, ContractError."""
    payload = TaskInput(
        task=STEP, dag_id=arguments.dag_id, run_id=arguments.run, inputs={"language": arguments.language}
    )  # fmt: skip
    kept = as_asked(saved(STEP, payload, os.environ), arguments)
    call = replace(kept.call, command=("python", "-m", f"ct_{STEP}.report"))
    runner: Any = make_runner(arguments, kept.places, keep=False)
    try:
        outcome = runner.run(call, log=log)
    except KeyboardInterrupt:
        runner.stop()
        raise
    if outcome.status != ExitCode.DONE:
        log.error("The report could not be made: %s", outcome.describe())
        return int(outcome.status if outcome.status >= 0 else 128 - outcome.status)
    if outcome.result is None or "report" not in outcome.result.summary:
        raise RunnerError("the image left no report: use images and a provider of one release")
    sys.stdout.write(outcome.result.summary["report"])
    return 0
