"""The entry point that every task image shares: read the input, run the step, write the result, end with its code."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ct_contract.call import DEFAULT_RESULT_PATH, INPUT_VARIABLE, RESULT_PATH_VARIABLE
from ct_contract.exit_codes import ExitCode, StepError
from ct_contract.messages import ContractError, TaskInput, TaskResult

Step = Callable[[TaskInput], TaskResult]

log = logging.getLogger(__name__)


class LevelFormatter(logging.Formatter):
    """``LEVEL: message`` at the head of every line, also of tracebacks: Airflow reads the level from there."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as lines that each carry their level."""
        text = super().format(record)
        return "\n".join(f"{record.levelname}: {line}" for line in text.splitlines() or [""])


class _Terminated(BaseException):
    """SIGTERM arrived: unwind, so that open transactions roll back."""


def configure_logging(level: int = logging.INFO) -> None:
    """Send all logging to standard output, one levelled line each."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LevelFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def write_result(result: TaskResult, path: Path) -> None:
    """Write the result atomically: a reader sees either nothing or all of it, also after a crash."""
    text = result.to_json()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".result-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def run_task(task: str, step: Step, argv: Sequence[str] | None = None) -> int:
    """Run one step and return the exit status: 0 a result, 65 bad data, 75 try later, 99 nothing to do, 1 anything else.

    The input is ``CT_INPUT`` or ``--input FILE`` (``-`` for standard input); the result goes to ``--result FILE`` or
    ``CT_RESULT_PATH``. A step that ends by a `StepError` leaves a result file too, so that its code is never lost.
    """
    arguments = _parse(task, argv)
    configure_logging()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        payload = _read_input(arguments.input, task)
        result = step(payload)
        write_result(result, arguments.result)
    except StepError as error:
        log.log(
            logging.INFO if error.exit_code is ExitCode.NOTHING_TO_DO else logging.ERROR, "%s: %s", error.code, error.message
        )
        result = TaskResult(
            task=task, run_id=payload.run_id, code=error.code, status=error.status, reason=error.message, summary=error.summary
        )
        write_result(result, arguments.result)
        return error.exit_code
    except ContractError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all, the traceback would hide it
        return ExitCode.ERROR
    except _Terminated:
        log.warning("%s was asked to stop; nothing half-done was kept", task)
        return 128 + signal.SIGTERM
    except Exception:
        log.exception("%s failed unexpectedly; what it had begun was rolled back, so it can be run again", task)
        return ExitCode.ERROR
    if result.reason:
        log.info("%s: %s", result.code, result.reason)
    return ExitCode.DONE


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _parse(task: str, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"ct_{task}", description=f"Run the {task} step once.")
    parser.add_argument(
        "--input", metavar="FILE", help=f"the task input as JSON, - for standard input; default: ${INPUT_VARIABLE}"
    )
    parser.add_argument(
        "--result",
        metavar="FILE",
        type=Path,
        default=Path(os.environ.get(RESULT_PATH_VARIABLE, DEFAULT_RESULT_PATH)),
        help=f"where the result goes; default: ${RESULT_PATH_VARIABLE} or {DEFAULT_RESULT_PATH}",
    )
    return parser.parse_args(argv)


def _read_input(file: str | None, task: str) -> TaskInput:
    if file == "-":
        text = sys.stdin.read()
    elif file is not None:
        text = Path(file).read_text(encoding="utf-8")
    else:
        text = os.environ.get(INPUT_VARIABLE, "")
        if not text:
            raise ContractError(f"no input: set {INPUT_VARIABLE} or give --input FILE")
    payload = TaskInput.from_json(text)
    if payload.task != task:
        raise ContractError(f"this is the {task} image, the input is for {payload.task}")
    return payload
