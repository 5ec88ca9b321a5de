"""Rows as delivered, packed for RAW: typed where a value has its column's type, kept whole where it has not."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from ct_store.copy import NULL, double_field, jsonb_field, text_array_field, text_field

NUMBERS = ("brokered_by", "price", "bed", "bath", "acre_lot", "street", "zip_code", "house_size")
TEXTS = ("status", "city", "state", "prev_sold_date")

DELIVERED = (
    "brokered_by", "status", "price", "bed", "bath", "acre_lot", "street", "city", "state", "zip_code", "house_size",
    "prev_sold_date",
)  # fmt: skip
"""The columns in the order in which the source sends them."""

COPY = f"""
COPY raw.listings (batch_id, row_number, {", ".join(NUMBERS)}, {", ".join(TEXTS)}, other, missing)
FROM STDIN WITH (FORMAT BINARY)
"""

_FIELDS = 2 + len(NUMBERS) + len(TEXTS) + 2
_numbers = struct.Struct("!h iq ii" + "id" * len(NUMBERS)).pack
_keys = struct.Struct("!h iq ii").pack
_NOTHING_ELSE = NULL + NULL

JSON_TYPES = {
    float: "number", int: "number", str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null",
}  # fmt: skip
_EXPECTED = dict.fromkeys(NUMBERS, "number") | dict.fromkeys(TEXTS, "string")

_MOST_TEXTS = 32_768
_MOST_COLUMNS = 500
_EXACT_INTEGER = 2**53
_NUL = "\0"


class TooManyColumnsError(ValueError):
    """The rows have more different columns than a table of listings can sensibly have."""


class UnstorableTextError(ValueError):
    """A text that PostgreSQL cannot hold as text: it has a character U+0000."""


class _PackedTexts(dict[str, bytes]):
    """Texts that were packed before: cities, states and dates come again and again."""

    def __missing__(self, text: str) -> bytes:
        if _NUL in text:
            raise UnstorableTextError(text)
        if len(self) >= _MOST_TEXTS:
            self.clear()
        packed = self[text] = text_field(text)
        return packed


class RowPacker:
    """Pack rows for `COPY` and count which columns and types arrived."""

    def __init__(self, batch_id: int) -> None:
        self.batch_id = batch_id
        self.rows = 0
        self._as_documented = 0
        self._texts = _PackedTexts()
        self._counted: dict[str, dict[str, int]] = {}

    def pack(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Binary COPY data of the rows, numbered on from the last call.

        A value that is not of its column's type, and a column that is not among the twelve, goes to ``other``; a value
        that PostgreSQL cannot hold (U+0000 in a text) goes there as ``{"json": "its JSON text"}``. Raises
        TooManyColumnsError.
        """
        # One loop without calls but the packing itself: this is where a batch's time is spent.
        batch_id, texts, number, packed = self.batch_id, self._texts, self.rows, list[bytes]()
        for row in rows:
            number += 1
            if tuple(row) == DELIVERED:
                broker, status, price, bed, bath, lot, street, city, state, zip_code, size, sold = row.values()
                if (
                    type(broker) is type(price) is type(bed) is type(bath) is type(lot) is type(street) is type(zip_code)
                    is type(size) is float
                    and type(status) is type(city) is type(state) is type(sold) is str
                ):  # fmt: skip
                    try:
                        packed += (
                            _numbers(
                                _FIELDS, 8, batch_id, 4, number, 8, broker, 8, price, 8, bed, 8, bath, 8, lot, 8, street,
                                8, zip_code, 8, size,
                            ),
                            texts[status], texts[city], texts[state], texts[sold], _NOTHING_ELSE,
                        )  # fmt: skip
                    except UnstorableTextError:
                        pass
                    else:
                        self._as_documented += 1
                        continue
            packed.append(self._pack_carefully(number, row))
        self.rows = number
        return b"".join(packed)

    def schema_seen(self) -> dict[str, dict[str, int]]:
        """Per column, how many rows had which JSON type, ``null`` or were ``missing`` it."""
        seen: dict[str, dict[str, int]] = {name: {} for name in DELIVERED}
        for name, counts in self._counted.items():
            seen[name] = dict(counts)
        if self._as_documented:
            for name in DELIVERED:
                seen[name][_EXPECTED[name]] = seen[name].get(_EXPECTED[name], 0) + self._as_documented
        return {name: {"null": 0, **counts, "missing": self.rows - sum(counts.values())} for name, counts in seen.items()}

    def _count(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            counts = self._counted.setdefault(_storable_name(name), {})
            kind = JSON_TYPES[type(value)]
            counts[kind] = counts.get(kind, 0) + 1
        if len(self._counted) > _MOST_COLUMNS:
            raise TooManyColumnsError(f"the rows have more than {_MOST_COLUMNS} different columns")

    def _pack_carefully(self, number: int, row: Mapping[str, Any]) -> bytes:
        self._count(row)
        kept = {name: value for name, value in row.items() if _fits(name, value)}
        other = {name: value for name, value in row.items() if name not in kept and not (name in _EXPECTED and value is None)}
        missing = [name for name in DELIVERED if name not in row]
        fields = [_keys(_FIELDS, 8, self.batch_id, 4, number)]
        fields += [double_field(float(kept[name])) if name in kept else NULL for name in NUMBERS]
        fields += [text_field(kept[name]) if name in kept else NULL for name in TEXTS]
        fields.append(jsonb_field(orjson.dumps(storable(other))) if other else NULL)
        fields.append(text_array_field(missing) if missing else NULL)
        return b"".join(fields)


def storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same, for jsonb: a value with U+0000 in it, which PostgreSQL cannot hold, becomes ``{"json": "its JSON text"}``."""
    stored = {}
    for name, value in values.items():
        stored[_storable_name(name)] = {"json": orjson.dumps(value).decode()} if _holds_nul(value) else value
    return stored


def _storable_name(name: str) -> str:
    return name.replace(_NUL, "\\u0000")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return _NUL in value
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(part) for name, part in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def _fits(name: str, value: Any) -> bool:
    """Whether the column can hold the value without loss."""
    kind = type(value)
    if _EXPECTED.get(name) == "number":
        return kind is float or (kind is int and abs(value) <= _EXACT_INTEGER)
    return name in TEXTS and kind is str and _NUL not in value
