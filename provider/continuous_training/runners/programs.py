"""Programs that a runner starts and follows."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

POLL_SECONDS = 0.5
"""How often a silent task is looked at; one that writes or ends is noticed at once."""

_PR_SET_PDEATHSIG = 1


def lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The lines that a process writes until it ends, even if children of it still hold a pipe open.

    Standard error counts too if it has a pipe of its own: then a line of one never breaks a line of the other.
    """
    rests = {pipe.fileno(): b"" for pipe in (process.stdout, process.stderr) if pipe is not None}
    with selectors.DefaultSelector() as selector:
        for pipe in rests:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(timeout=POLL_SECONDS)
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                chunk = os.read(key.fd, 65_536)
                if not chunk:
                    selector.unregister(key.fd)
                    continue
                *whole, rests[key.fd] = (rests[key.fd] + chunk).split(b"\n")
                yield from whole
    yield from filter(None, rests.values())


def attend(command: Sequence[str], *, environ: Mapping[str, str], directory: str | None = None) -> int:
    """Give this terminal to a program until it ends; returns its exit status. Raises FileNotFoundError.

    Ctrl-C is the program's alone: a shell or a debugger goes on after it.
    """
    main = threading.current_thread() is threading.main_thread()
    # A handler and not SIG_IGN, which the program would inherit.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None) if main else None
    try:
        return subprocess.run(list(command), env=dict(environ), cwd=directory, check=False).returncode
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


def end_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """For `preexec_fn`: have the kernel send the program a signal when its parent ends (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask_the_kernel
