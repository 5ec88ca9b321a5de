"""Start the stack, as much at a time as can be, and stop it without leaving anything behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Literal

import httpx
import psycopg

from local import by_hand, databases, environments, services
from local.display import Display
from local.jobs import Jobs, StoppedError
from local.postgres import PostgresServer, is_reachable
from local.processes import Manager, ProcessError, Program, log_tail, spawn_keeper, write_configuration
from local.settings import Settings, SettingsError

STEPS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")

ELSEWHERE = Path("/var/lib/continuous-training")
"""Where root's PostgreSQL keeps its data when the clone lies where the server's account cannot get to."""

HEALTH_SECONDS = 600

MOST_STARTS = 3
"""How often the process manager may start a program before it answers: what ends that often does not heal."""


class Stack:
    """One stack in one state directory; at most one runs there at a time."""

    def __init__(self, settings: Settings, display: Display) -> None:
        self.settings = settings
        self.display = display
        self.state = settings.state
        self.jobs = Jobs(self._progress)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._begun: dict[str, set[int]] = {}
        self._commands: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> PostgresServer:
        """Take the state directory, end what a killed start left, save the settings, make the database's files ready."""
        self._lock = take(self.state)
        end_leftovers(self.state)
        if self.settings.postgres_directory is None:
            elsewhere = ELSEWHERE / str(self.state).strip("/").replace("/", "-")
            directory = self.state / "postgres" if is_reachable(self.state) else elsewhere
            self.settings = replace(self.settings, postgres_directory=directory)
        self.settings.save()
        by_hand.write_variables(self.settings)
        server = services.postgres_server(self.settings)
        server.initialise()
        return server

    def start(self, only: tuple[str, ...] = ()) -> None:
        """Begin to bring everything up, or the jobs in ``only`` and what they need; ``jobs.wait`` tells when it is there.

        Raises ProcessError, RuntimeError or StoppedError; the caller then calls `stop`.
        """
        server = self.prepare()
        self._programs = {program.name: program for program in services.programs(self.settings, server)}
        configuration = write_configuration(
            self.state, list(self._programs.values()), self.settings.ports["supervisor"], self.settings.secrets["supervisor"]
        )
        self._keeper = spawn_keeper(self.state, configuration, services.base_environment("local"))
        self.manager().wait(self._keeper)
        self._plan(server)
        if only:
            self.jobs.keep(only)
        self.jobs.begin()

    def manager(self) -> Manager:
        """A new connection to the process manager."""
        return Manager(self.state, self.settings.ports["supervisor"], self.settings.secrets["supervisor"])

    def _plan(self, server: PostgresServer) -> None:
        add = self.jobs.add
        built_in = self.settings.stream.source_url is None
        before = ("store", "mlflow", "airflow", *(("data_source",) if built_in else ()))
        for name in (*before, *STEPS, "serving", "dashboard", "scratch"):
            add(f"install {name}", partial(self._install, name), lane="install")
        administrator = server.url()
        add("postgres", lambda: self._start_database(administrator))
        add("users", lambda: databases.create_owners(self.settings.secrets, administrator), after=("postgres",))
        add("mlflow", lambda: self._bring_up("mlflow"), after=("users", "install mlflow"))
        add("airflow modules", lambda: self._command("airflow-modules", services.airflow_first_import(self.settings)),
            after=("install airflow",))  # fmt: skip
        add("airflow schema", lambda: self._command("airflow-migration", services.airflow_migration(self.settings)),
            after=("users", "airflow modules"))  # fmt: skip
        for component in services.AIRFLOW_COMPONENTS:
            add(f"airflow {component}", partial(self._bring_up, f"airflow-{component}"), after=("airflow schema",))
        add("airflow", self._airflow_is_healthy, after=tuple(f"airflow {name}" for name in services.AIRFLOW_COMPONENTS))
        add("schema", lambda: self._migrate(administrator), after=("users", "install store"))
        if built_in:
            add("source", lambda: self._bring_up("source"), after=("install data_source",))
        add("serving", lambda: self._bring_up("serving"), after=("install serving", "schema", "mlflow"))
        add("dashboard", lambda: self._bring_up("dashboard"), after=("install dashboard", "schema"))

    @property
    def needed_for_runs(self) -> tuple[str, ...]:
        """The jobs that must be done before a batch can be processed; API and dashboard may come later."""
        source = () if self.settings.stream.source_url else ("source",)
        return ("schema", "mlflow", "airflow", *source, *(f"install {step}" for step in STEPS))

    def _progress(self, name: str, state: Literal["begun", "done", "failed"], seconds: float) -> None:
        self.display.job(name, state, seconds)

    def _install(self, name: str) -> None:
        environments.make(name, services.executable("uv", "uv"))

    def _start_database(self, administrator: str) -> None:
        manager = self.manager()
        manager.start("postgres")
        while True:
            self._check(manager, "postgres")
            try:
                psycopg.connect(administrator, connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return

    def _migrate(self, administrator: str) -> None:
        self._command("migration", services.migration(self.settings))
        databases.create_members(self.settings.secrets, administrator)

    def _bring_up(self, name: str) -> None:
        program: Program = self._programs[name]
        manager = self.manager()
        manager.start(name)
        deadline = time.monotonic() + HEALTH_SECONDS
        while time.monotonic() < deadline:
            self._check(manager, name)
            if program.health is None:
                if manager.look(name)[0] == "RUNNING":
                    return
            else:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(program.health, timeout=60, trust_env=False).is_success:
                        return
            time.sleep(0.5)
        raise ProcessError(f"{name} is not healthy after {HEALTH_SECONDS} s; {log_tail(self.state, name)}")

    def _airflow_is_healthy(self) -> None:
        manager = self.manager()
        address = f"{self.settings.url('airflow')}/api/v2/monitor/health"
        deadline = time.monotonic() + HEALTH_SECONDS
        while time.monotonic() < deadline:
            for component in services.AIRFLOW_COMPONENTS:
                self._check(manager, f"airflow-{component}")
            with contextlib.suppress(httpx.HTTPError, ValueError):
                parts = httpx.get(address, timeout=60, trust_env=False).json()
                if all(part.get("status") == "healthy" for part in parts.values()):
                    return
            time.sleep(0.5)
        raise ProcessError(f"Airflow is not healthy after {HEALTH_SECONDS} s: the logs are in {self.state / 'logs'}")

    def _check(self, manager: Manager, name: str) -> None:
        if self.jobs.stop.is_set():
            raise StoppedError
        state, began = manager.look(name)
        self._begun.setdefault(name, set()).add(began)
        if state == "FATAL" or len(self._begun[name]) > MOST_STARTS:
            raise ProcessError(f"{name} does not stay up ({state.lower()}); {log_tail(self.state, name)}")

    def _command(self, name: str, call: tuple[list[str], Mapping[str, str]]) -> None:
        command, env = call
        if self.jobs.stop.is_set():
            raise StoppedError
        with (self.state / "logs" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.state, start_new_session=True
            )
            self._commands.append(process)
            if process.wait():
                raise ProcessError(f"{' '.join(command)} ended with {process.returncode}; {log_tail(self.state, name)}")

    def stop(self) -> None:
        """Stop everything. Safe to call at any moment after the constructor."""
        self.jobs.stop.set()
        for process in self._commands:
            if process.poll() is None:
                process.terminate()
        if self._keeper is not None:
            self._keeper.terminate()
            self._keeper.wait()
        if self._lock is not None:
            release(self.state, self._lock)
            self._lock = None


def take(state: Path) -> IO[str]:
    """Lock the state directory for this process. Raises SettingsError if another start has it."""
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        starter = _pid(state / "starter.pid")
        raise SettingsError(f"a stack already runs in {state} (process {starter}): make stop ends it") from error
    (state / "starter.pid").write_text(f"{os.getpid()}\n")
    return lock


def end_leftovers(state: Path, seconds: float = 60) -> list[int]:
    """End a keeper or process manager that outlived its starter; only processes of this very state directory."""
    ended = []
    for name in ("keeper", "supervisord"):
        pid = _pid(state / f"{name}.pid")
        if pid is None or not _belongs(pid, state):
            continue
        ended.append(pid)
        deadline = time.monotonic() + seconds
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            while time.monotonic() < deadline and _belongs(pid, state):
                time.sleep(0.1)
            if _belongs(pid, state):
                os.kill(pid, signal.SIGKILL)
    return ended


def stop_other(state: Path, seconds: float = 90) -> bool:
    """Ask the start that holds the state directory to end, and wait for it. Returns whether there was anything to stop.

    Raises SettingsError if it does not end in ``seconds``.
    """
    starter = _pid(state / "starter.pid")
    deadline = time.monotonic() + seconds
    asked = False
    while True:
        try:
            lock = take(state)
            break
        except SettingsError as error:
            if starter is None or time.monotonic() > deadline:
                raise SettingsError(f"process {starter} did not end within {seconds:g} s") from error
            if not asked:
                os.kill(starter, signal.SIGTERM)
                asked = True
            time.sleep(0.2)
    try:
        return bool(end_leftovers(state)) or asked
    finally:
        release(state, lock)


def release(state: Path, lock: IO[str]) -> None:
    """Give the state directory back."""
    (state / "starter.pid").unlink(missing_ok=True)
    lock.close()


def _pid(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _belongs(pid: int, state: Path) -> bool:
    """Whether the process exists and its command line names the state directory: process ids are used again."""
    if sys.platform != "linux":
        done = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return f"{state}/" in done.stdout
    try:
        return f"{state}/".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
