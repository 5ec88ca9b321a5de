from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEEPER = str(ROOT / "local" / "keeper.py")

pytestmark = [pytest.mark.unit, pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")]

# A manager that starts a child in a session of its own, as a task runner does, writes down its id and ignores SIGTERM there.
MANAGER = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(1000)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def command(tmp_path, starter):
    script = MANAGER.replace("CHILD", repr(STUBBORN))
    return [
        sys.executable,
        "-I",
        KEEPER,
        str(tmp_path / "pid"),
        str(starter),
        sys.executable,
        "-c",
        script,
        str(tmp_path / "child"),
    ]


def child_of(tmp_path):
    def written():
        with contextlib.suppress(OSError, ValueError):
            return int((tmp_path / "child").read_text())
        return None

    wait_until(written)
    return written()


@pytest.mark.parametrize("how", ["the keeper is told to stop", "the manager dies"])
def test_nothing_is_left_behind(tmp_path, how):
    keeper = subprocess.Popen(command(tmp_path, os.getpid()))
    child = child_of(tmp_path)
    parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2].split()[1])
    assert int((tmp_path / "pid").read_text()) == keeper.pid
    os.kill(
        keeper.pid if how.startswith("the keeper") else parent,
        signal.SIGTERM if how.startswith("the keeper") else signal.SIGKILL,
    )
    assert keeper.wait(30) == 0
    assert not alive(child)
    assert not alive(parent)
    assert not (tmp_path / "pid").exists()


def test_nothing_is_left_behind_when_the_starter_is_killed(tmp_path):
    script = [
        "import os, subprocess, time",
        f"command = {command(tmp_path, 0)!r}",
        "command[4] = str(os.getpid())",
        "subprocess.Popen(command)",
        "time.sleep(1000)",
    ]
    starter = subprocess.Popen([sys.executable, "-c", "\n".join(script)])
    child = child_of(tmp_path)
    keeper = int((tmp_path / "pid").read_text())
    starter.kill()
    starter.wait()
    wait_until(lambda: not alive(keeper) and not alive(child), seconds=30)
