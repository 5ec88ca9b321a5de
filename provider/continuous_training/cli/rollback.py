"""``rollback``: take the model out of production and bring another version back, by the promote image where it runs."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime

from ct_contract import TaskInput

from continuous_training.cli.run import launch_saved

DAG_ID = "by_hand"
"""What the ledger names as the DAG of what a person did on the command line."""


def rollback(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit status of the task. Raises CommandError, RunnerError, ContractError."""
    inputs = {"action": "rollback", "author": arguments.author, "reason": arguments.reason, "to": arguments.to}
    payload = TaskInput(task="promote", dag_id=DAG_ID, run_id=f"rollback__{datetime.now(UTC).isoformat()}", inputs=inputs)
    return launch_saved(arguments, payload, os.environ)
