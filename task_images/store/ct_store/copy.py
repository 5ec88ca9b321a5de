"""PostgreSQL's binary COPY format, packed by hand where rows are many.

See "Binary Format" in PostgreSQL's documentation of COPY: a header, rows of length-prefixed fields, a trailer.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_length = struct.Struct("!i").pack
_TEXT_OID = 25


def field(data: bytes) -> bytes:
    """One field that is not null."""
    return _length(len(data)) + data


def text_field(text: str) -> bytes:
    """A text."""
    return field(text.encode())


def double_field(value: float) -> bytes:
    """A double precision number."""
    return struct.pack("!id", 8, value)


def jsonb_field(json: bytes) -> bytes:
    """A jsonb value from its JSON text."""
    return field(b"\x01" + json)


def text_array_field(texts: Sequence[str]) -> bytes:
    """A one-dimensional text[]; at least one element."""
    elements = b"".join(text_field(text) for text in texts)
    return field(struct.pack("!iiiii", 1, 0, _TEXT_OID, len(texts), 1) + elements)
