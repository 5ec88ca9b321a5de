"""The twelve columns of a listing, in the order in which the source delivers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Column:
    """One delivered column. ``kind`` is its JSON type; without a ``required`` column no batch can be used."""

    name: str
    kind: Literal["number", "string"]
    role: Literal["target", "numeric", "category", "key", "date"]
    required: bool
    unit: str = ""


COLUMNS: tuple[Column, ...] = (
    Column(name="brokered_by", kind="number", role="category", required=False),
    Column(name="status", kind="string", role="category", required=True),
    Column(name="price", kind="number", role="target", required=True, unit="dollars"),
    Column(name="bed", kind="number", role="numeric", required=False),
    Column(name="bath", kind="number", role="numeric", required=False),
    Column(name="acre_lot", kind="number", role="numeric", required=False, unit="acres"),
    Column(name="street", kind="number", role="key", required=True),
    Column(name="city", kind="string", role="category", required=False),
    Column(name="state", kind="string", role="category", required=True),
    Column(name="zip_code", kind="number", role="category", required=True),
    Column(name="house_size", kind="number", role="numeric", required=False, unit="square feet"),
    Column(name="prev_sold_date", kind="string", role="date", required=False),
)

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
"""All twelve names, in delivered order."""

MODEL_COLUMNS: tuple[str, ...] = (
    "status",
    "bed",
    "bath",
    "acre_lot",
    "city",
    "state",
    "zip_code",
    "house_size",
    "prev_sold_date",
    "brokered_by",
)
"""What the model is given: ``street`` identifies a home and ``price`` is the answer."""
