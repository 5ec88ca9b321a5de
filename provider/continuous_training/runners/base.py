"""What a runner is: it starts one task call somewhere, follows it, and brings back how it ended. No Airflow here."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ct_contract import TaskCall, TaskResult


class Log(Protocol):
    """What a runner writes to: any logger of the standard library's shape, Airflow's too."""

    def log(self, level: int, msg: str, /, *args: Any) -> Any:
        """Log ``msg % args`` at a level of `logging`."""


class RunnerError(RuntimeError):
    """A task could not be started; the message says what to set or make."""


class RunnerUnavailableError(RunnerError):
    """The place does not answer for now, or was lost while the task ran; a later try may find it, and the task in it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a task ended: its exit status (negative for a signal, as in `subprocess`) and the result, if it left one."""

    status: int
    result: TaskResult | None

    def describe(self) -> str:
        """The exit status in words; a shell and Kubernetes report a signal as 128 and its number."""
        number = -self.status if self.status < 0 else self.status - 128
        if number not in signal.valid_signals():
            return f"exit status {self.status}"
        name = signal.Signals(number).name
        return f"killed by {name}" + ("; the usual reason is too little memory" if name == "SIGKILL" else "")


class Runner(Protocol):
    """A place where task images run. One object runs one task at a time."""

    def run(self, call: TaskCall, *, log: Log) -> Outcome:
        """Start the call, pass its log lines on at their level, and return how it ended.

        Raises RunnerError if it cannot be started, ContractError if it left a result that breaks the contract.
        """

    def interact(self, call: TaskCall, program: Sequence[str]) -> int:
        """Run another program on this terminal, where the call would run and with its variables; returns its exit status.

        Raises RunnerError if it cannot be started.
        """

    def stop(self) -> None:
        """End what is running, gently first. Does nothing if nothing runs."""
