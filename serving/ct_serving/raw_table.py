"""One row of raw.inferences: its one encoding, for the spool and for PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

Status = Literal["ok", "invalid", "unavailable", "error"]
Role = Literal["primary", "shadow"]


class InferenceRow(NamedTuple):
    """A line of raw.inferences; prices are dollars, ``row_number`` is the position in the request, from 0."""

    request_id: UUID
    row_number: int
    received_at: datetime
    answered_at: datetime
    status: Status
    http_status: int
    model_name: str | None = None
    model_version: str | None = None
    role: Role = "primary"
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
_COLUMNS = InferenceRow._fields
_LIST = ", ".join(_COLUMNS)


def _column(position: int, name: str) -> str:
    if _TYPES[name] == "jsonb":
        return f"nullif(line->{position}, 'null')"
    return f"(line->>{position})::{_TYPES[name]}"


# Rows travel as one JSON document: one round trip and one commit a group, where COPY cannot skip rows that are there already
# and a temporary table in between costs milliseconds to empty. The conflict has no target: naming one would need the right
# to read RAW.
INSERT = (
    f"INSERT INTO raw.inferences ({_LIST}) SELECT {', '.join(_column(*at) for at in enumerate(_COLUMNS))} "
    "FROM jsonb_array_elements($1::jsonb) AS line ON CONFLICT DO NOTHING"
).encode()
"""Takes a ``document``."""


def document(rows: Sequence[bytes]) -> bytes:
    """Encoded rows as what INSERT takes."""
    return b"[" + b",".join(rows) + b"]"


def beginning(request_id: UUID) -> bytes:
    """What every encoded row of a request begins with."""
    return b'["%b"' % str(request_id).encode()


def encode(row: InferenceRow) -> bytes:
    """The row as one JSON array. Raises TypeError (orjson.JSONEncodeError) if it holds something else than JSON."""
    text = orjson.dumps(tuple(row))
    # PostgreSQL keeps no NUL in text or jsonb; it is shown as the replacement character.
    return orjson.dumps(without_nul(orjson.loads(text))) if b"\\u0000" in text else text


# In the order of the arguments of `encode_priced`; {} are filled in once for a model, %b for a row.
_PRICED = '["%b",%d,"%b","%b","ok",200,{name},{version},"{role}",%b,%b,%b,%b,%b,null,%b]'


@lru_cache(maxsize=64)
def priced_template(model_name: str, model_version: str, role: Role) -> bytes:
    """A row that has a price, for ``%`` with: request id, row number, received at, answered at, input, price, low, high,
    warnings, client; all bytes of JSON but the number, the ids and times without quotes.
    """  # noqa: D205
    quoted = [orjson.dumps(text).decode().replace("%", "%%") for text in (model_name, model_version)]
    return _PRICED.format(name=quoted[0], version=quoted[1], role=role).encode()


def without_nul(value: Any) -> Any:
    """The same JSON value with U+FFFD for every NUL in its strings and keys."""
    if isinstance(value, str):
        return value.replace("\0", "�")
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(item) for item in value]
    return value
