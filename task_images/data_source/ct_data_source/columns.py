"""The columns of a listing in the order of the wire, and their Arrow types.

This is the replica's own copy on purpose: it stands for a foreign service, so it shares no code with its consumers.
"""

from __future__ import annotations

import pyarrow as pa

COLUMNS = (
    "brokered_by",
    "status",
    "price",
    "bed",
    "bath",
    "acre_lot",
    "street",
    "city",
    "state",
    "zip_code",
    "house_size",
    "prev_sold_date",
)
TEXT_COLUMNS = frozenset({"status", "city", "state", "prev_sold_date"})
FOR_SALE = "for_sale"
SOLD = "sold"

SCHEMA = pa.schema([pa.field(name, pa.string() if name in TEXT_COLUMNS else pa.float64()) for name in COLUMNS])
"""Twelve columns without nulls: eight doubles (dollars, counts, acres, square feet, codes) and four texts."""
