"""The process manager (supervisord): its configuration from a list of programs, and a way to talk to it."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.settings import write_private

HERE = Path(__file__).resolve().parent
PARTS = ("programs", "logs")


class ProcessError(RuntimeError):
    """A program does not run; the message has the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of the stack: what is run, as whom, and how it shows that it works.

    ``health`` is an address that answers 200 when the program is ready. ``stop_signal`` asks it to end; ``stop_seconds``
    later it is killed. ``user`` is uid and gid when it must not run as root.
    """

    name: str
    command: Sequence[str]
    directory: Path
    env: Mapping[str, str] = field(repr=False)
    health: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 10
    user: tuple[int, int] | None = None


def write_configuration(state: Path, programs: Sequence[Program], port: int, password: str) -> Path:
    """Write supervisord's configuration and one private file a program; returns the path of the former.

    Its paths are relative to ``state``, where supervisord runs: it expands some of them twice, so that no escape helps.
    """
    for part in PARTS:
        (state / part).mkdir(parents=True, exist_ok=True)
    last = [program.name for program in programs if program.name != "postgres"]
    sections = [
        f"""[supervisord]
nodaemon=true
silent=true
nocleanup=true
{"user=root" if os.geteuid() == 0 else ""}
logfile=logs/supervisord.log
logfile_maxbytes=2MB
logfile_backups=1
pidfile=supervisord.pid
""",
        f"""[inet_http_server]
port=127.0.0.1:{port}
username=supervisor
password={_escape(password)}
""",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        # Groups are stopped one after the other, the highest priority first, the programs of a group together:
        # so nobody loses the database while it still has something to write.
        f"[group:stack]\nprograms={','.join(last)}\npriority=20\n" if last else "",
        "[group:database]\nprograms=postgres\npriority=10\n" if len(last) < len(programs) else "",
    ]
    sections += [_program(state, program) for program in programs]
    path = state / "supervisord.conf"
    write_private(path, "\n".join(sections))
    return path


def _program(state: Path, program: Program) -> str:
    file = state / "programs" / f"{program.name}.json"
    value = {
        "command": list(program.command),
        "env": dict(program.env),
        "directory": str(program.directory),
        "signal": int(program.stop_signal),
        "user": program.user,
    }
    write_private(file, json.dumps(value, indent=2))
    command = shlex.join([sys.executable, "-I", "-S", str(HERE / "leash.py"), f"programs/{file.name}"])
    return f"""[program:{program.name}]
command={_escape(command)}
autostart=false
autorestart=true
startsecs=1
startretries=3
stopsignal={program.stop_signal.name.removeprefix("SIG")}
stopwaitsecs={program.stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile=logs/{program.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")


class _Transport(xmlrpc.client.Transport):
    """Short waits: the manager is on this machine."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = 10
        return connection


class Manager:
    """A running supervisord. One object for each thread: the connection underneath is not shared."""

    def __init__(self, state: Path, port: int, password: str) -> None:
        self.state = state
        address = f"http://supervisor:{password}@127.0.0.1:{port}/RPC2"
        self._rpc: Any = xmlrpc.client.ServerProxy(address, transport=_Transport()).supervisor

    def wait(self, keeper: subprocess.Popen[bytes], seconds: float = 15) -> None:
        """Return when it answers. Raises ProcessError with its log if it ends or stays silent."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and keeper.poll() is None:
            try:
                if self._rpc.getState()["statename"] == "RUNNING":
                    return
            except (OSError, http.client.HTTPException, xmlrpc.client.Error):
                pass
            time.sleep(0.05)
        raise ProcessError(f"the process manager did not start:\n{log_tail(self.state, 'supervisord')}")

    def start(self, name: str) -> None:
        """Start one program; its health is another question."""
        self._rpc.startProcess(_qualified(name), False)

    def look(self, name: str) -> tuple[str, int]:
        """The manager's word for it (STARTING, RUNNING, BACKOFF, FATAL, STOPPED, ...) and the second of its last start."""
        info = self._rpc.getProcessInfo(_qualified(name))
        return str(info["statename"]), int(info["start"])

    def pids(self) -> dict[str, int]:
        """The process id of every program that runs."""
        return {str(info["name"]): int(info["pid"]) for info in self._rpc.getAllProcessInfo() if info["pid"]}


def _qualified(name: str) -> str:
    return f"database:{name}" if name == "postgres" else f"stack:{name}"


def log_tail(state: Path, name: str, lines: int = 20) -> str:
    """The last lines of a program's log, with the file's name above them."""
    file = state / "logs" / f"{name}.log"
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - 20_000))
            text = log.read().decode(errors="replace")
    except OSError:
        return f"({file} does not exist)"
    return "\n".join([f"last lines of {file}:", *text.splitlines()[-lines:]])


def spawn_keeper(state: Path, configuration: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the keeper, which starts supervisord. Call it from the main thread: the kernel ties the keeper to the thread."""
    supervisord = [sys.executable, "-I", str(HERE / "leash.py"), str(_manager_file(state, configuration, env))]
    command = [sys.executable, "-I", "-S", str(HERE / "keeper.py"), str(state / "keeper.pid"), str(os.getpid()), *supervisord]
    with (state / "logs" / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(env), start_new_session=True, cwd="/"
        )


def _manager_file(state: Path, configuration: Path, env: Mapping[str, str]) -> Path:
    file = state / "programs" / "supervisord.json"
    value = {
        "command": [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
        "env": dict(env),
        "directory": str(state),
        "signal": int(signal.SIGTERM),
    }
    write_private(file, json.dumps(value, indent=2))
    return file
