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
    if way == "error":
        raise ValueError("an unexpected thing")
    if way == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "no_result":
        os._exit(0)
    if way == "bad_json":
        result_path().write_text("{half")
        os._exit(0)
    if way == "other_version":
        result_path().write_text('{"version": 99}')
        os._exit(0)
    if way in {"wait", "stubborn"}:
        wait(payload, stubborn=way == "stubborn")
    if way == "orphan":
        orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(payload.inputs["file"]).write_text(str(orphan.pid))
    if way == "talk":
        talk()
    told = {"variables": sorted(os.environ), "directory": str(Path.cwd()), "secret": len(os.environ["CT_DATABASE_URL"])}
    return TaskResult(task="probe", run_id=payload.run_id, code="PROBED", reason="The probe ran.", summary=told)


def wait(payload: TaskInput, *, stubborn: bool) -> None:
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(payload.inputs["file"]).write_text(str(os.getpid()))
    time.sleep(60)


def talk() -> None:
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


raise SystemExit(run_task("probe", step))
