"""Read one answer as it arrives: ``{"group_number": 9, "batch_number": 0, "data": [{row}, {row}, ...], ...}``.

The body is parsed in blocks of about a megabyte, so that memory does not grow with the batch. A block must end between
two rows. Where that is cannot be seen without reading from the block's start, because a text may contain ``},{``. So the
last ``},{`` of the block is tried first, which is right for flat rows, and otherwise the block is scanned token by token.

Why a wrong cut cannot pass: a block begins where a row begins (by induction), so its tokens are those of the whole body.
A cut inside a text leaves that text open, a cut inside a nested value leaves a bracket open, and a cut behind the end of
the list leaves something behind it. None of the three is JSON between ``[`` and ``]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

BLOCK_BYTES = 1 << 20
MOST_ENVELOPE_BYTES = 1 << 20
"""How much may stand before the list of rows, and behind it."""
MOST_ROW_BYTES = 8 << 20

_DATA = re.compile(rb'"data"[ \t\r\n]*:')
_LIST = re.compile(rb"[ \t\r\n]*\[")
_BETWEEN = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
# Possessive, so that an open text costs one pass and not a search through all ways to split it.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}"]', re.DOTALL)
_OPENING, _TEXT_LEFT_OPEN = (b"{", b"["), b'"'

Row = dict[str, Any]


class InvalidAnswerError(ValueError):
    """The body is not the documented JSON; the message says how.

    ``ended_early`` is true if the body stops inside a value: what came so far may well be right.
    """

    def __init__(self, message: str, *, ended_early: bool = False) -> None:
        super().__init__(message)
        self.ended_early = ended_early


@dataclass(frozen=True)
class _Scan:
    """Positions in a text that begins with a row or inside the list of rows; None where there is no such place.

    ``cut`` is the end of the last row behind which another row begins, ``following`` where that one begins, ``closing``
    the first bracket that closes what was not opened in the text, ``is_inside`` whether the text stops inside a value.
    """

    cut: int | None
    following: int | None
    closing: int | None
    is_inside: bool

    def end_of_list(self, text: bytes) -> int | None:
        """Where the list of rows is closed, if it is. Raises InvalidAnswerError if another bracket stands there."""
        if self.closing is not None and text[self.closing : self.closing + 1] != b"]":
            raise InvalidAnswerError("the body is not JSON: a bracket among the rows closes what was not opened")
        return self.closing


def _scan(text: bytes) -> _Scan:
    depth = 0
    row_end = cut = following = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in _OPENING:
            if depth == 0 and row_end is not None:
                cut, following = row_end, match.start()
            depth += 1
        elif token in (b"}", b"]"):
            if depth == 0:
                return _Scan(cut, following, match.start(), is_inside=False)
            depth -= 1
            if depth == 0:
                row_end = match.end()
        elif token == _TEXT_LEFT_OPEN:
            return _Scan(cut, following, None, is_inside=True)
    return _Scan(cut, following, None, is_inside=depth > 0)


class AnswerReader:
    """One answer, read once.

    ``head`` reads up to the rows, iterating gives them in lists, and then ``envelope`` is the answer without its rows.
    All raise InvalidAnswerError for a body that is not of the documented shape.
    """

    def __init__(self, chunks: Iterable[bytes], block_bytes: int = BLOCK_BYTES) -> None:
        self._chunks = iter(chunks)
        self._block_bytes = block_bytes
        self._buffer = b""
        self._in_rows = False
        self.envelope: dict[str, Any] = {}

    def head(self) -> dict[str, Any]:
        """What stands before the rows."""
        while not (self._in_rows or self._find_rows()):
            if len(self._buffer) > MOST_ENVELOPE_BYTES:
                raise InvalidAnswerError(f"no list of rows under 'data' in the first {MOST_ENVELOPE_BYTES:,} bytes")
            chunk = next(self._chunks, None)
            if chunk is None:
                raise self._no_rows()
            self._buffer += chunk
        return self.envelope

    def __iter__(self) -> Iterator[list[Row]]:
        """The rows in order, in lists of a block each."""
        self.head()
        wanted = self._block_bytes
        for chunk in self._chunks:
            self._buffer += chunk
            if len(self._buffer) < wanted:
                continue
            rows = self._last_pair() or self._scanned()
            if rows is not None:
                yield rows
            if not self._in_rows:
                yield from self._finish()
                return
            if len(self._buffer) > MOST_ROW_BYTES + self._block_bytes:
                raise InvalidAnswerError(f"more than {MOST_ROW_BYTES:,} bytes without the end of a row")
            # Doubled, so that scanning a long row again and again stays linear.
            wanted = max(self._block_bytes, 2 * len(self._buffer))
        yield from self._finish()

    def skip(self) -> None:
        """Read the rest of the body without looking at it."""
        for _ in self._chunks:
            pass

    def _find_rows(self) -> bool:
        for match in _DATA.finditer(self._buffer):
            opening = _LIST.match(self._buffer, match.end())
            if opening is None:
                continue
            try:
                before = orjson.loads(self._buffer[: match.start()] + b'"data":null}')
            except orjson.JSONDecodeError:
                continue  # these characters stand inside a nested value
            if not isinstance(before, dict) or next(reversed(before)) != "data":
                continue  # the end of another name, such as "x\"data"
            del before["data"]
            self.envelope, self._in_rows = before, True
            self._buffer = self._buffer[opening.end() :]
            return True
        return False

    def _no_rows(self) -> InvalidAnswerError:
        if not self._buffer.strip():
            return InvalidAnswerError("the body is empty", ended_early=True)
        try:
            answer = orjson.loads(self._buffer)
        except orjson.JSONDecodeError as error:
            return InvalidAnswerError(f"the body is not JSON: {error}", ended_early=_scan(self._buffer).is_inside)
        what = f"an object with {sorted(answer)}" if isinstance(answer, dict) else f"a JSON {type(answer).__name__}"
        return InvalidAnswerError(f"no list of rows under 'data': the body is {what}")

    def _last_pair(self) -> list[Row] | None:
        """The rows up to the last ``},{``, if that is between two rows."""
        buffer = self._buffer
        following = buffer.rfind(b"{")
        if following <= 0:
            return None
        nearby = buffer[max(0, following - 256) : following].rstrip(b" \t\r\n")
        if not nearby.endswith(b",") or not nearby[:-1].rstrip(b" \t\r\n").endswith(b"}"):
            return None
        comma = buffer.rfind(b",", 0, following)
        try:
            rows = orjson.loads(b"".join((b"[", memoryview(buffer)[:comma], b"]")))
        except orjson.JSONDecodeError:
            return None
        self._buffer = buffer[following:]
        return _checked(rows)

    def _scanned(self) -> list[Row] | None:
        """The rows up to the last place that is surely between two rows, or up to the end of the list."""
        buffer, found = self._buffer, _scan(self._buffer)
        end = found.end_of_list(buffer)
        if end is not None:
            self._buffer, self._in_rows = buffer[end + 1 :], False
            return _parsed_rows(buffer[:end])
        if found.cut is None or found.following is None:
            return None
        if not _BETWEEN.fullmatch(buffer, found.cut, found.following):
            raise InvalidAnswerError(f"the body is not JSON: {buffer[found.cut : found.following][:80]!r} between two rows")
        self._buffer = buffer[found.following :]
        return _parsed_rows(buffer[: found.cut])

    def _finish(self) -> Iterator[list[Row]]:
        """The last rows and what stands behind the list."""
        for chunk in self._chunks:
            self._buffer += chunk
            if not self._in_rows and len(self._buffer) > MOST_ENVELOPE_BYTES:
                raise InvalidAnswerError(f"more than {MOST_ENVELOPE_BYTES:,} bytes behind the list of rows")
        if self._in_rows:
            found = _scan(self._buffer)
            end = found.end_of_list(self._buffer)
            if end is None:
                _parsed_rows(self._buffer[: found.cut or 0])  # a wrong token among them is the better message
                raise InvalidAnswerError("the body is not JSON: the list of rows is never closed", ended_early=True)
            rows = _parsed_rows(self._buffer[:end])
            self._buffer = self._buffer[end + 1 :]
            if rows:
                yield rows
        self._add_tail()

    def _add_tail(self) -> None:
        try:
            tail = orjson.loads(b'{"data":null' + self._buffer)
        except orjson.JSONDecodeError as error:
            ended_early = _scan(self._buffer).closing is None
            raise InvalidAnswerError(f"the body is not JSON behind its rows: {error}", ended_early=ended_early) from error
        if tail.pop("data") is not None or tail.keys() & self.envelope.keys():
            raise InvalidAnswerError("the body has one name twice")
        self.envelope |= tail


def _parsed_rows(text: bytes) -> list[Row]:
    try:
        return _checked(orjson.loads(b"[%b]" % text))
    except orjson.JSONDecodeError as error:
        raise InvalidAnswerError(f"the body is not JSON among its rows: {error}") from error


def _checked(rows: list[Any]) -> list[Row]:
    for row in rows:
        if type(row) is not dict:
            raise InvalidAnswerError(f"a row is a JSON {type(row).__name__}, not an object: {str(row)[:80]!r}")
    return rows
