"""The end of a task image, as an exception that Airflow understands."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException
from ct_contract import ExitCode, TaskResult

from continuous_training.exceptions import (
    BadDataError,
    NothingToDoError,
    TaskContractError,
    TaskError,
    TaskResultMissingError,
    TryLaterError,
)
from continuous_training.runners.base import Outcome

BY_STATUS: dict[int, type[AirflowException]] = {
    ExitCode.BAD_DATA: BadDataError,
    ExitCode.TRY_LATER: TryLaterError,
    ExitCode.NOTHING_TO_DO: NothingToDoError,
}


def sentence(result: TaskResult) -> str:
    """The code of a result and its reason, in one line."""
    return f"{result.code}: {result.reason}" if result.reason else result.code


def failure(task: str, outcome: Outcome) -> AirflowException | None:
    """The exception for an outcome, or None for one that is done and has a result."""
    if outcome.status == ExitCode.DONE:
        if outcome.result is None:
            return TaskResultMissingError(
                f"{task} ended with exit status 0 but left no result. What it did is kept; a retry gives the same result again"
            )
        if outcome.result.status != "done":
            return TaskContractError(f"{task} ended with exit status 0 but its result says {outcome.result.status!r}")
        return None
    kind = BY_STATUS.get(outcome.status)
    told = f": {sentence(outcome.result)}" if outcome.result else "; it left no result, its log says more"
    if kind is None:
        return TaskError(f"{task} failed ({outcome.describe()}){told}. Half-done work was rolled back, so it can be run again")
    return kind(f"{sentence(outcome.result)} ({task}, exit status {outcome.status})" if outcome.result
                else f"{task} ended with exit status {outcome.status}{told}")  # fmt: skip


def check_identity(result: TaskResult, task: str, run_id: str) -> None:
    """Raise TaskContractError unless the result is of this task and this run."""
    if (result.task, result.run_id) != (task, run_id):
        raise TaskContractError(
            f"the result is of {result.task} in run {result.run_id!r}, expected {task} in {run_id!r}: the image ran other work"
        )
