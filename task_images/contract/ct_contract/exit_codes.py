"""How a task ends, and the exceptions by which a step says so.

StepError
├── BadDataError      65: the data are at fault, a retry cannot help
├── TryLaterError     75: something outside is away, a retry may help
└── NothingToDoError  99: there is nothing to do, which is a skip and no failure

The numbers are those of sysexits.h where it has one (EX_DATAERR, EX_TEMPFAIL).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar, Literal


class ExitCode(IntEnum):
    """What a task's exit status means to the operator."""

    DONE = 0
    ERROR = 1
    BAD_DATA = 65
    TRY_LATER = 75
    NOTHING_TO_DO = 99


class StepError(Exception):
    """A step ended without its normal result, for a reason that has a code.

    ``message`` tells what happened, what was kept and what to do. ``summary`` goes into the result file.
    """

    exit_code: ClassVar[ExitCode]
    status: ClassVar[Literal["rejected", "skipped", "failed"]]

    def __init__(self, code: str, message: str, summary: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.summary = dict(summary or {})


class BadDataError(StepError):
    """The data are at fault; a retry cannot help."""

    exit_code = ExitCode.BAD_DATA
    status = "rejected"


class TryLaterError(StepError):
    """Something outside is away for now; a retry may help."""

    exit_code = ExitCode.TRY_LATER
    status = "failed"


class NothingToDoError(StepError):
    """There is nothing to do: a skip, no failure."""

    exit_code = ExitCode.NOTHING_TO_DO
    status = "skipped"
