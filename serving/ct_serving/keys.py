"""API keys: who may ask. Only their SHA-256 is kept; ``python -m ct_serving.keys NAME`` makes one.

A key is 256 random bits, so one round of SHA-256 is as good as a slow hash: there is nothing to guess. A file of keys
has one line for each, ``name:hash`` or ``name:hash:rate`` with the requests a second that this client may send; lines
that begin with # and empty ones mean nothing. Two lines of one name are two valid keys of one client: that is how a
key is replaced without a gap.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

PREFIX = "ct_"
LOOK_SECONDS = 5.0
"""How often the file of keys is looked at for a change."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key: the client's name, the SHA-256 of the key as hexadecimal ASCII, and the client's own rate, if any."""

    name: str
    digest: bytes
    rate: float | None = None


def new_key() -> str:
    """A key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: bytes) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key).hexdigest().encode()


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of ``name:hash[:rate]`` lines. Raises ValueError naming the line, never its content."""
    found: list[ApiKey] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        digest, _, rate = rest.partition(":")
        if not _NAME.fullmatch(name) or not _HASH.fullmatch(digest):
            raise ValueError(f"line {number} of the API keys is not name:hash with a SHA-256 of 64 hexadecimal digits")
        if digest.encode() in {key.digest for key in found}:
            raise ValueError(f"line {number} of the API keys repeats the hash of another line")
        found.append(ApiKey(name, digest.encode(), _rate(rate, number) if rate else None))
    return tuple(found)


def _rate(text: str, number: int) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise ValueError(f"line {number} of the API keys: the rate must be a number above 0")
    return rate


class KeyRing:
    """The keys that are valid now. A file is read again when it changes; one that is broken leaves the old keys valid."""

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        """Keys from ``text`` or ``file``. Raises ValueError if a file holds none: an API must not open by accident."""
        self._file = file
        self._changed = 0
        self._next_look = 0.0
        self._fixed = parse_keys(text)
        self.keys: tuple[ApiKey, ...] = self._fixed
        if file is not None:
            self.keys += self._read(file)

    def _read(self, file: Path) -> tuple[ApiKey, ...]:
        try:
            self._changed = file.stat().st_mtime_ns
            found = parse_keys(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"the file of API keys {file} cannot be read: {error.strerror}") from error
        if not found:
            raise ValueError(f"the file of API keys {file} holds no key; leave CT_API_KEYS_FILE empty to ask for none")
        self._next_look = time.monotonic() + LOOK_SECONDS
        return found

    @property
    def required(self) -> bool:
        """Whether a key is asked for."""
        return bool(self.keys)

    def owner(self, headers: Iterable[tuple[bytes, bytes]]) -> ApiKey | None:
        """The key that a request carries as X-API-Key or as bearer token, or None if it carries no valid one.

        ``headers`` are an ASGI scope's. Every key is compared, in constant time.
        """
        self._look()
        given = _given(headers)
        if given is None:
            return None
        digest = hash_of(given)
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def _look(self) -> None:
        if self._file is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        try:
            if self._file.stat().st_mtime_ns != self._changed:
                self.keys = self._fixed + self._read(self._file)
                logger.info("the API keys were read again: %d", len(self.keys))
        except (OSError, ValueError) as error:
            logger.error("the API keys stay as they were: %s", error)  # noqa: TRY400


def _given(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    bearer = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer


def main() -> int:
    """Make a key and print it, and the line that makes it valid."""
    parser = argparse.ArgumentParser(prog="python -m ct_serving.keys", description="Make an API key for a client.")
    parser.add_argument("name", help="the client; letters, digits, dots, hyphens and underscores")
    parser.add_argument("--rate", type=float, help="requests a second of this client, in place of CT_RATE_PER_SECOND")
    arguments = parser.parse_args()
    key = new_key()
    line = f"{arguments.name}:{hash_of(key.encode()).decode()}"
    line += f":{arguments.rate:g}" if arguments.rate is not None else ""
    try:
        parse_keys(line)
    except ValueError:
        print(f"a name has up to 63 of a-z A-Z 0-9 . _ -, and a rate is above 0: {line.split(':')[0]}", file=sys.stderr)
        return 2
    print("The key, for the client; it is nowhere kept. Then the line for the file of keys.", file=sys.stderr)
    print(key)
    print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
