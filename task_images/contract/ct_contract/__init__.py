"""What an operator and a task image say to each other: one input, one result, five exit codes. Standard library only."""

from ct_contract.call import SecretRef, TaskCall
from ct_contract.exit_codes import BadDataError, ExitCode, NothingToDoError, StepError, TryLaterError
from ct_contract.messages import CONTRACT_VERSION, ContractError, TaskInput, TaskResult
from ct_contract.runtime import run_task

__all__ = [
    "CONTRACT_VERSION",
    "BadDataError",
    "ContractError",
    "ExitCode",
    "NothingToDoError",
    "SecretRef",
    "StepError",
    "TaskCall",
    "TaskInput",
    "TaskResult",
    "TryLaterError",
    "run_task",
]
