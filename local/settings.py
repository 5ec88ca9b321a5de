"""What one stack was started with, kept in its state directory: the stream of data, ports, passwords."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from local import ports

FORMAT = 1
FILE = "settings.json"

SECRETS = (
    "postgres", "owner", "pipeline", "serving", "dashboard", "mlflow_database", "airflow_database",
    "airflow_admin", "airflow_jwt", "airflow_api", "serving_admin", "supervisor",
)  # fmt: skip
"""Everything that has a password or a key of its own."""

SIGNING_KEYS = ("airflow_jwt", "airflow_api")
"""Keys that HMAC-SHA512 uses, which wants 64 bytes."""


class SettingsError(RuntimeError):
    """The options do not fit each other or the state directory; the message says which and what to do."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Which data arrive. A state directory belongs to one stream: batches of two would mix in one history.

    ``scale`` is in percent of the real sizes, or of the listings file. A given ``source_url`` replaces the built-in
    source, a given ``listings`` file feeds it in place of the generator. ``day`` is None for a source without days.
    """

    scale: float = 10.0
    seed: int = 0
    listings: str | None = None
    source_url: str | None = None
    group: int = 1
    day: str | None = "Tuesday"

    def check(self) -> None:
        """Raise SettingsError for what cannot work."""
        if not 1 <= self.scale <= 100:
            raise SettingsError(f"SCALE={self.scale:g} is not a percentage from 1 to 100")
        if self.seed < 0:
            raise SettingsError(f"SEED={self.seed} is below 0")
        if self.listings and self.source_url:
            raise SettingsError("LISTINGS feeds the built-in source and SOURCE_URL replaces it: give one of the two")
        if self.listings and not Path(self.listings).is_file():
            raise SettingsError(f"LISTINGS={self.listings} is not a file")
        if self.source_url and not self.source_url.startswith(("http://", "https://")):
            raise SettingsError(f"SOURCE_URL={self.source_url} does not begin with http:// or https://")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The stack's own settings; the file is readable by its owner only."""

    state: Path
    stream: Stream
    policy: str = "strict"
    ports: Mapping[str, int] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    postgres_directory: Path | None = None

    @classmethod
    def load(cls, state: Path) -> Self | None:
        """The settings kept in ``state``, or None for a fresh one. Raises SettingsError for a file of another release."""
        file = state / FILE
        if not file.exists():
            return None
        try:
            kept: dict[str, Any] = json.loads(file.read_text())
            if kept.pop("format") != FORMAT:
                raise SettingsError(f"{file} was written by another release: make clean removes this state")
            directory = kept.pop("postgres_directory")
            return cls(
                state=state,
                stream=Stream(**kept.pop("stream")),
                postgres_directory=Path(directory) if directory else None,
                **kept,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{file} cannot be read ({error}): make clean removes this state") from error

    @classmethod
    def open(cls, state: Path, stream: Stream, policy: str) -> Self:
        """The settings for this start: what is kept, else new ones; taken ports are replaced. The caller saves them.

        Raises SettingsError if the state belongs to another stream.
        """
        stream.check()
        kept = cls.load(state)
        if kept is not None and kept.stream != stream:
            raise SettingsError(_other_stream(state, kept.stream, stream))
        base = kept or cls(state=state, stream=stream)
        known = {name: secrets.token_urlsafe(48 if name in SIGNING_KEYS else 18) for name in SECRETS}
        known["airflow_fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        return replace(base, policy=policy, ports=ports.choose(base.ports), secrets=known | dict(base.secrets))

    def save(self) -> None:
        """Write them, atomically and for the owner's eyes only."""
        self.state.mkdir(parents=True, exist_ok=True)
        value = {
            "format": FORMAT,
            "stream": asdict(self.stream),
            "policy": self.policy,
            "ports": dict(self.ports),
            "secrets": dict(self.secrets),
            "postgres_directory": str(self.postgres_directory) if self.postgres_directory else None,
        }
        write_private(self.state / FILE, json.dumps(value, indent=2) + "\n")

    def url(self, service: str) -> str:
        """Where one of the stack's HTTP services is."""
        return f"http://127.0.0.1:{self.ports[service]}"

    @property
    def source(self) -> str:
        """Where the data come from."""
        return self.stream.source_url or self.url("source")

    def database_url(self, database: str, user: str, secret: str) -> str:
        """A libpq URL of one of the stack's databases."""
        return f"postgresql://{user}:{self.secrets[secret]}@127.0.0.1:{self.ports['postgres']}/{database}"


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read; a reader sees the old or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _shown(value: float | str | None) -> str:
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _other_stream(state: Path, kept: Stream, wanted: Stream) -> str:
    before, now = asdict(kept), asdict(wanted)
    changes = ", ".join(
        f"{name.upper()} was {_shown(before[name])} and is now {_shown(now[name])}"
        for name in before
        if before[name] != now[name]
    )
    return (
        f"the state in {state} belongs to another stream of data: {changes}. Nothing was changed. Use the former values, "
        "give another STATE directory, or remove this one with make clean"
    )
