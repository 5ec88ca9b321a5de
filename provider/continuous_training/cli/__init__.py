"""``continuous-training``: run one task by hand, and ask the record, with Airflow's runners and without importing Airflow."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ct_contract import ContractError

from continuous_training.cli.errors import CommandError
from continuous_training.cli.parser import parse
from continuous_training.cli.records import ask
from continuous_training.cli.report import report
from continuous_training.cli.rollback import rollback
from continuous_training.cli.run import run
from continuous_training.cli.show import show
from continuous_training.runners.base import RunnerError

log = logging.getLogger("continuous_training")

COMMANDS: Mapping[str, Callable[[Any], int]] = {
    "show": show, "run": run, "report": report, "compare": ask, "lineage": ask, "rollback": rollback,
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status of the task or of the question, or 2 if it could not be started."""
    arguments = parse(argv)
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s: %(message)s", stream=sys.stderr)
    for library in ("urllib3", "kubernetes"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # However it is asked to stop, the task is stopped and the scratch copy dropped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return COMMANDS[arguments.verb](arguments)
    except KeyboardInterrupt:
        return 130
    except (CommandError, RunnerError, ContractError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
