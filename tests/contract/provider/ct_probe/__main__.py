"""Do what the input's ``way`` says."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ct_contract import BadDataError, NothingToDoError, TaskInput, TaskResult, TryLaterError, run_task

log = logging.getLogger("probe")

ENDINGS = {"bad_data": BadDataError, "try_later": TryLaterError, "nothing_to_do": NothingToDoError}


def result_path() -> Path:
    return Path(os.environ["CT_RESULT_PATH"])


def step(payload: TaskInput) -> TaskResult:
    way = payload.inputs["way"]
    if way in ENDINGS:
        raise ENDINGS[way](f"PROBE_{way.upper()}", f"The probe was told so in {payload.run_id}.", {"batch_id": 3})
    if way != "done":
        WAYS[way](payload)
    told = {"variables": sorted(os.environ), "directory": str(Path.cwd()), "secret": len(os.environ["CT_DATABASE_URL"])}
    return TaskResult(task="probe", run_id=payload.run_id, code="PROBED", reason="The probe ran.", summary=told)


def error(_payload: TaskInput) -> None:
    raise ValueError("an unexpected thing")


def crash(payload: TaskInput) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    # The first process of a container outlives its own signal, but not its memory limit.
    greedy(payload)


def greedy(_payload: TaskInput) -> None:
    hoard = [bytes(2**24) + b"x" for _ in range(10_000)]
    raise AssertionError(len(hoard))


def leave(text: str | None) -> None:
    if text is not None:
        result_path().write_text(text)
    os._exit(0)


def orphan(payload: TaskInput) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(payload.inputs["file"]).write_text(str(child.pid))


def wait(payload: TaskInput, *, stubborn: bool = False) -> None:
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(payload.inputs["file"]).write_text(str(os.getpid()))
    time.sleep(payload.inputs.get("seconds", 60))


def talk(_payload: TaskInput) -> None:
    log.debug("quiet")
    log.info("plain")
    log.warning("two\nlines")
    log.critical("Error rate: 0.1")
    sys.stderr.write("Error rate of a library: 0.2\n")
    sys.stdout.buffer.write(b"\xff no text\n")
    sys.stdout.buffer.flush()
    sys.stdout.write(f"secret {os.environ['CT_DATABASE_URL']}\n")
    sys.stdout.write("x" * 200_000 + "\n")
    sys.stdout.write("no end of line")


WAYS = {
    "error": error,
    "crash": crash,
    "greedy": greedy,
    "no_result": lambda _payload: leave(None),
    "bad_json": lambda _payload: leave("{half"),
    "other_version": lambda _payload: leave('{"version": 99}'),
    "wait": wait,
    "stubborn": lambda payload: wait(payload, stubborn=True),
    "orphan": orphan,
    "talk": talk,
}

raise SystemExit(run_task("probe", step))
