"""One row of raw.inferences: how it is encoded for the spool and copied into PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

Status = Literal["ok", "invalid", "unavailable", "error"]


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """A line of raw.inferences; prices are dollars, ``row_number`` is the position in the request, from 0."""

    request_id: UUID
    row_number: int
    received_at: datetime
    answered_at: datetime
    status: Status
    http_status: int
    model_name: str | None = None
    model_version: str | None = None
    role: str = "primary"
    input: Any = None
    price: float | None = None
    price_low: float | None = None
    price_high: float | None = None
    warnings: Any = None
    error: Any = None
    client: str | None = None


_TYPES = {
    "request_id": "uuid",
    "row_number": "int4",
    "received_at": "timestamptz",
    "answered_at": "timestamptz",
    "status": "text",
    "http_status": "int4",
    "model_name": "text",
    "model_version": "text",
    "role": "text",
    "input": "jsonb",
    "price": "float8",
    "price_low": "float8",
    "price_high": "float8",
    "warnings": "jsonb",
    "error": "jsonb",
    "client": "text",
}
_COLUMNS = tuple(field.name for field in fields(InferenceRow))
_JSON = frozenset(name for name, kind in _TYPES.items() if kind == "jsonb")
_LIST = ", ".join(_COLUMNS)
# The columns are spelled out: CREATE TABLE ... (LIKE ...) would need the right to read RAW.
CREATE_PENDING = (
    f"CREATE TEMPORARY TABLE pending ({', '.join(f'{name} {_TYPES[name]}' for name in _COLUMNS)}) ON COMMIT DELETE ROWS"
).encode()
_COPY = f"COPY pending ({_LIST}) FROM STDIN (FORMAT BINARY)".encode()
# Without a target for the conflict: naming one would need the right to read RAW.
_INSERT = f"INSERT INTO raw.inferences ({_LIST}) SELECT {_LIST} FROM pending ON CONFLICT DO NOTHING".encode()


def encode(row: InferenceRow) -> bytes:
    """The row as one JSON array, for the spool."""
    return orjson.dumps(astuple(row))


def decode(text: bytes) -> InferenceRow:
    """The row that ``encode`` was given. Raises ValueError (also TypeError) if the text is something else."""
    values = dict(zip(_COLUMNS, orjson.loads(text), strict=True))
    values["request_id"] = UUID(values["request_id"])
    for name in ("received_at", "answered_at"):
        values[name] = datetime.fromisoformat(values[name])
    return InferenceRow(**values)


def copy_rows(connection: psycopg.Connection[Any], rows: Sequence[InferenceRow]) -> None:
    """Write ``rows`` in one transaction; those that are already there are left as they are.

    ``connection`` has run CREATE_PENDING and is in autocommit mode. Raises psycopg.Error.
    """
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(_COPY) as copy:
            copy.set_types([_TYPES[name] for name in _COLUMNS])
            for row in rows:
                copy.write_row(_storable(row))
        cursor.execute(_INSERT)


def _storable(row: InferenceRow) -> tuple[Any, ...]:
    values = []
    for name in _COLUMNS:
        value = getattr(row, name)
        if name in _JSON and value is not None:
            text = orjson.dumps(value)
            # PostgreSQL keeps no NUL in text or jsonb; it is shown as the replacement character.
            value = Jsonb(without_nul(value) if b"\\u0000" in text else value, dumps=orjson.dumps)
        elif isinstance(value, str) and "\0" in value:
            value = without_nul(value)
        values.append(value)
    return tuple(values)


def without_nul(value: Any) -> Any:
    """The same JSON value with U+FFFD for every NUL in its strings and keys."""
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(item) for item in value]
    return value
