"""The data source's HTTP interface, with each of its answers told apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

TIMEOUT = httpx.Timeout(connect=10, read=180, write=10, pool=10)
"""Seconds. The real source needs up to 28 s before its largest batch begins."""

_END_OF_DATA = re.compile(r"ya se recolect", re.IGNORECASE)
_MOST_WORDS = 500


class SourceError(Exception):
    """The source gave no batch. ``status`` is the HTTP status, None where there was none.

    ``request_id`` is the request's line in the journal.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = 0


class EndOfDataError(SourceError):
    """The source says that everything was collected."""


class RefusedError(SourceError):
    """The source refuses this very request: asking again changes nothing."""


class NotReachedError(SourceError):
    """No connection came about, so the source's cursor has not moved."""


class BrokenOffError(SourceError):
    """The request went out and no whole answer came back: the source's cursor may have moved."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One cursor at one source."""

    url: str
    group_number: int
    day: str | None = None

    @property
    def name(self) -> str:
        """How RAW calls it."""
        return f"group {self.group_number}" + (f", {self.day}" if self.day else "")

    @property
    def parameters(self) -> dict[str, str]:
        """The query of every request."""
        return {"group_number": str(self.group_number)} | ({"day": self.day} if self.day else {})

    def address(self, path: str) -> str:
        """A request's URL without its query."""
        return f"{self.url.rstrip('/')}/{path}"


class Body:
    """A body as it arrives; afterwards its size in bytes and its SHA-256."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._digest = hashlib.sha256()
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._response.iter_bytes(1 << 20):
            self._digest.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        """Hexadecimal, of what was read so far."""
        return self._digest.hexdigest()


@contextmanager
def request_batch(client: httpx.Client, stream: Stream) -> Iterator[Body]:
    """Ask for the next batch once, and give its body to be read inside the block.

    Raises one of the SourceErrors, also where the body breaks off while it is read.
    """
    try:
        with client.stream("GET", stream.address("data"), params=stream.parameters) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise _refusal(response)
            yield Body(response)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise NotReachedError(f"{stream.url} cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise BrokenOffError(f"{stream.url} broke off: {type(error).__name__} {error}".strip()) from error


def restart(client: httpx.Client, stream: Stream) -> None:
    """Set the source's cursor back to batch 0. Raises one of the SourceErrors."""
    try:
        response = client.get(stream.address("restart_data_generation"), params=stream.parameters)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotReachedError(f"{stream.url} cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise BrokenOffError(f"{stream.url} broke off: {type(error).__name__} {error}".strip()) from error
    if response.status_code != httpx.codes.OK:
        raise _refusal(response)


def open_client() -> httpx.Client:
    """A client that never asks twice by itself: a repeated GET would take another batch."""
    transport = httpx.HTTPTransport(retries=0)
    return httpx.Client(transport=transport, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}, follow_redirects=False)


def _refusal(response: httpx.Response) -> SourceError:
    words = response.text[:_MOST_WORDS].strip()
    status = response.status_code
    if status == httpx.codes.BAD_REQUEST and _END_OF_DATA.search(words):
        return EndOfDataError(words, status)
    if response.is_server_error:
        return BrokenOffError(f"the source answered {status}: {words}", status)
    return RefusedError(f"the source answered {status}: {words}", status)
