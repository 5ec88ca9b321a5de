"""The data source's HTTP interface, with each of its answers told apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import orjson

TIMEOUT = httpx.Timeout(connect=10, read=180, write=10, pool=10)
"""Seconds. The real source needs up to 28 s before its largest batch begins."""

_END_OF_DATA = re.compile(r"ya se recolect", re.IGNORECASE)
_MOST_WORDS = 500
_MOST_WORD_BYTES = 65_536
_CHUNK_BYTES = 1 << 20


class SourceError(Exception):
    """The source gave no batch. ``status`` is the HTTP status, None where there was none.

    SourceError
    ├── EndOfDataError   everything was collected
    ├── RefusedError     this very request is refused: asking again changes nothing
    ├── NotReachedError  no connection came about, so the source's cursor has not moved
    └── BrokenOffError   the request went out and no whole answer came back: the cursor may have moved
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class EndOfDataError(SourceError):
    """The source says that everything was collected. ``request_id`` is the request's line in the journal."""

    request_id = 0


class RefusedError(SourceError):
    """The source refuses this very request: asking again changes nothing."""


class NotReachedError(SourceError):
    """No connection came about, so the source's cursor has not moved."""


class BrokenOffError(SourceError):
    """The request went out and no whole answer came back: the source's cursor may have moved."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One cursor at one source. ``url`` is an http(s) URL; user and password in it are used and never written down."""

    url: str
    group_number: int
    day: str | None = None

    @property
    def name(self) -> str:
        """How RAW calls it."""
        return f"group {self.group_number}" + (f", {self.day}" if self.day else "")

    @property
    def place(self) -> str:
        """The source's address, fit for logs and messages."""
        return str(httpx.URL(self.url).copy_with(userinfo=b"")).rstrip("/")

    def address(self, path: str) -> httpx.URL:
        """The whole address of a request."""
        query = {"group_number": str(self.group_number)} | ({"day": self.day} if self.day else {})
        return httpx.URL(f"{self.url.rstrip('/')}/{path}", params=query)

    def written(self, path: str) -> str:
        """The same, fit for the journal."""
        return str(self.address(path).copy_with(userinfo=b""))


class Body:
    """A body as it arrives, to be read once; afterwards its size in bytes and its SHA-256.

    ``has_end`` says whether the answer tells where it ends; otherwise a cut body looks like a whole one.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.has_end = "content-length" in response.headers or "transfer-encoding" in response.headers

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._response.iter_bytes(_CHUNK_BYTES):
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
    with _told_apart(stream), client.stream("GET", stream.address("data")) as response:
        if not response.is_success:
            raise _refusal(response)
        yield Body(response)


def restart(client: httpx.Client, stream: Stream) -> None:
    """Set the source's cursor back to batch 0. Raises one of the SourceErrors."""
    with _told_apart(stream), client.stream("GET", stream.address("restart_data_generation")) as response:
        if not response.is_success:
            raise _refusal(response)


@contextmanager
def open_client() -> Iterator[httpx.Client]:
    """A client that never asks twice by itself: a repeated GET would take another batch."""
    transport = httpx.HTTPTransport(retries=0)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    with httpx.Client(transport=transport, timeout=TIMEOUT, headers=headers, follow_redirects=False) as client:
        yield client


@contextmanager
def _told_apart(stream: Stream) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise NotReachedError(f"{stream.place} cannot be reached: {_said(error)}") from error
    except httpx.HTTPError as error:
        raise BrokenOffError(f"{stream.place} broke off: {_said(error)}") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _refusal(response: httpx.Response) -> SourceError:
    status, words = response.status_code, _words(response)
    if status == httpx.codes.BAD_REQUEST and _END_OF_DATA.search(words):
        return EndOfDataError(words, status)
    kind = BrokenOffError if response.is_server_error else RefusedError
    return kind(f"the source answered {status}: {words or response.reason_phrase}", status)


def _words(response: httpx.Response) -> str:
    """What the source says, without FastAPI's wrapping."""
    text = b""
    for chunk in response.iter_bytes(_MOST_WORD_BYTES):
        text += chunk
        if len(text) >= _MOST_WORD_BYTES:
            break
    try:
        detail = orjson.loads(text)["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return text.decode(errors="replace").strip()[:_MOST_WORDS]
    return (detail if isinstance(detail, str) else orjson.dumps(detail).decode())[:_MOST_WORDS]
