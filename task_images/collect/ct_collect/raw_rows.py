"""Rows as delivered, packed for RAW: typed where a value has its column's type, kept whole where it has not."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
_AS_DOCUMENTED = tuple(float if name in NUMBERS else str for name in DELIVERED)

_JSON_TYPES = {float: "number", int: "number", str: "text", bool: "boolean", list: "array", dict: "object", type(None): "null"}


class _PackedTexts(dict[str, bytes]):
    """Texts that were packed before: cities and states come again and again."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= 50_000:
            self.clear()
        packed = self[text] = text_field(text)
        return packed


class RowPacker:
    """Pack rows for `COPY` and note which columns and types arrived."""

    def __init__(self, batch_id: int) -> None:
        self.batch_id = batch_id
        self.rows = 0
        self._documented = 0
        self._texts = _PackedTexts()
        self._seen: dict[str, Counter[str]] = {}

    def pack(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """Binary COPY data of the rows, numbered on from the last call."""
        return b"".join(self._pack(rows))

    def _pack(self, rows: Iterable[Mapping[str, Any]]) -> Iterable[bytes]:
        batch_id, texts = self.batch_id, self._texts
        for row in rows:
            self.rows += 1
            if tuple(row) == DELIVERED:
                values = tuple(row.values())
                if tuple(map(type, values)) == _AS_DOCUMENTED:
                    self._documented += 1
                    broker, status, price, bed, bath, lot, street, city, state, zip_code, size, sold = values
                    yield _numbers(
                        _FIELDS, 8, batch_id, 4, self.rows, 8, broker, 8, price, 8, bed, 8, bath, 8, lot, 8, street,
                        8, zip_code, 8, size,
                    )  # fmt: skip
                    yield texts[status] + texts[city] + texts[state] + texts[sold] + NULL + NULL
                    continue
            yield self._pack_carefully(row)

    def _pack_carefully(self, row: Mapping[str, Any]) -> bytes:
        other: dict[str, Any] = {}
        missing = [name for name in DELIVERED if name not in row]
        for name, value in row.items():
            self._seen.setdefault(name, Counter())[_JSON_TYPES[type(value)]] += 1
            if name not in DELIVERED or (value is not None and not _fits(name, value)):
                other[name] = value
        for name in missing:
            self._seen.setdefault(name, Counter())["missing"] += 1
        fields = [_keys(_FIELDS, 8, self.batch_id, 4, self.rows)]
        fields += [double_field(float(row[name])) if _fits(name, row.get(name)) else NULL for name in NUMBERS]
        fields += [text_field(row[name]) if _fits(name, row.get(name)) else NULL for name in TEXTS]
        fields.append(jsonb_field(orjson.dumps(other)) if other else NULL)
        fields.append(text_array_field(missing) if missing else NULL)
        return b"".join(fields)

    def schema_seen(self) -> dict[str, dict[str, int]]:
        """Per column, how many rows had which JSON type, ``null`` or ``missing``; documented columns first."""
        seen: dict[str, dict[str, int]] = {}
        for name in (*DELIVERED, *(name for name in self._seen if name not in DELIVERED)):
            counts = Counter(self._seen.get(name, {}))
            if name in DELIVERED and self._documented:
                counts["number" if name in NUMBERS else "text"] += self._documented
            if name not in DELIVERED and sum(counts.values()) < self.rows:
                counts["missing"] += self.rows - sum(counts.values())
            seen[name] = dict(counts)
        return seen


def _fits(name: str, value: Any) -> bool:
    if name in NUMBERS:
        return type(value) in (float, int)
    return type(value) is str
