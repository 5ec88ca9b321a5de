"""Keep the process manager, and leave nothing running behind it.

The keeper sits between the command that a person started and the process manager. It adopts every process below it that
loses its parent (a task whose scheduler was stopped, for one), and when the process manager ends, it ends those too. It
goes when it is told to (SIGTERM) and when the starter dies, even by SIGKILL. Standard library only: it stays all the time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

STOP_SECONDS = 45
"""How long the process manager may take to stop everything before it is killed."""


def bind_to_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when ``parent`` ends, and for every orphan below us. Linux only, elsewhere nothing."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the starter is gone")


def descendants(root: int) -> list[int]:
    """Every living process below ``root``, from /proc; zombies are not counted."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = entry.read_text().rpartition(") ")[2].split()[:2]
            if state != "Z":
                parents[int(entry.parent.name)] = int(parent)
    found: list[int] = []
    level = [root]
    while level:
        level = [pid for pid, parent in parents.items() if parent in level]
        found += level
    return found


def sweep(root: int, grace: float = 5.0) -> int:
    """End every process below ``root``: SIGTERM, then SIGKILL after ``grace`` seconds. Returns how many there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + grace
    sent: set[int] = set()
    while left := descendants(root):
        ended.update(left)
        overdue = time.monotonic() > deadline
        for pid in left:
            if overdue or pid not in sent:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if overdue else signal.SIGTERM)
                sent.add(pid)
        _reap()
        time.sleep(0.05)
    _reap()
    return len(ended)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> int:
    """Run ``keeper.py PIDFILE STARTER COMMAND...`` until it is told to stop or the command ends."""
    pid_file, starter, command = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    bind_to_parent(starter)
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    pid_file.write_text(f"{os.getpid()}\n")
    manager = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while not asked and manager.poll() is None:
        time.sleep(0.3)
        _bury_orphans(manager.pid)
    if manager.poll() is None:
        manager.terminate()
        try:
            manager.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            manager.kill()
    sweep(os.getpid())
    pid_file.unlink(missing_ok=True)
    return 0


def _bury_orphans(manager: int) -> None:
    """Take leave of adopted processes that have ended; the manager is left to its own object."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == manager:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


if __name__ == "__main__":
    raise SystemExit(main())
