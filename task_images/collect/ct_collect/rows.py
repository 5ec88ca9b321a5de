"""Cut a streamed answer into rows: ``{"batch_number": 0, ..., "data": [{row}, {row}, ...]}``.

The body is parsed in blocks of about a megabyte, so that memory does not grow with the batch. A block ends between two
rows. Where that is cannot be seen without parsing (a text may contain ``},{``), so the cut is a guess that is proved:
a block that ends inside a text or a nested value is no JSON, and the guess before it is tried. By induction every block
begins at the start of a row, so that a block that parses holds whole rows only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

BLOCK_BYTES = 1 << 20

_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_DATA = re.compile(rb'"data"\s*:\s*\[\s*')
_GUESSES = 50


class BodyError(ValueError):
    """The body is not the JSON that the source documents; the message says where it stops being so."""


class RowReader:
    """Iterate over lists of rows; afterwards ``envelope`` holds the answer without its rows."""

    def __init__(self, chunks: Iterable[bytes], block_bytes: int = BLOCK_BYTES) -> None:
        self._chunks = iter(chunks)
        self._block_bytes = block_bytes
        self._buffer = b""
        self._head = b""
        self.envelope: dict[str, Any] = {}

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Lists of rows, in order. Raises BodyError for anything that is not the documented shape."""
        if not self._find_data():
            yield from self._finish(self._buffer)
            return
        for chunk in self._chunks:
            self._buffer += chunk
            if len(self._buffer) >= self._block_bytes:
                rows = self._cut()
                if rows:
                    yield rows
        yield from self._finish(self._buffer)

    def _find_data(self) -> bool:
        """Read on until the list of rows begins; what stands before it is kept as the head."""
        for chunk in self._chunks:
            self._buffer += chunk
            for match in _DATA.finditer(self._buffer):
                head = self._buffer[: match.start()]
                try:
                    orjson.loads(head + b'"data":[]}')
                except orjson.JSONDecodeError:
                    continue  # the words stand inside a text or a nested value
                self._head = head
                self._buffer = self._buffer[match.end() :]
                return True
        return False

    def _cut(self) -> list[dict[str, Any]]:
        end = len(self._buffer)
        for _ in range(_GUESSES):
            comma = self._buffer.rfind(b",", 0, end)
            if comma < 0:
                break
            end = comma
            if not _BETWEEN.match(self._buffer, self._buffer.rfind(b"}", 0, comma)):
                continue
            try:
                rows = orjson.loads(b"[" + self._buffer[:comma] + b"]")
            except orjson.JSONDecodeError:
                continue
            self._buffer = self._buffer[comma + 1 :]
            return _checked(rows)
        return []

    def _finish(self, tail: bytes) -> Iterator[list[dict[str, Any]]]:
        try:
            answer = orjson.loads(self._head + b'"data":[' + tail if self._head else tail)
        except orjson.JSONDecodeError as error:
            raise BodyError(f"the body is not JSON: {error}") from error
        if not isinstance(answer, dict):
            raise BodyError(f"the body is a {type(answer).__name__}, not an object")
        rows = answer.pop("data", None)
        if not isinstance(rows, list):
            raise BodyError("the body has no list of rows under 'data'")
        self.envelope = answer
        return iter([_checked(rows)] if rows else [])


def _checked(rows: list[Any]) -> list[dict[str, Any]]:
    for row in rows:
        if not isinstance(row, dict):
            raise BodyError(f"a row is a {type(row).__name__}, not an object: {str(row)[:80]!r}")
    return rows
