"""What is compared between new homes and known ones, as SQL over rows of CLEAN.

Columns of very many values (city, street, zip code, broker) are left out: between two halves of the same data their
distributions differ by more than any limit. Where homes are is watched by the state, and by what was never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """One compared column. ``value`` is SQL for a double or a text over ``clean.listings``, null where it is not known.

    Dollars, square feet and acres are compared as logarithms, as the model sees them: a distance of long tails would be one
    of their dearest homes. ``relied_by`` is the column's name in the model's explanation, None where it is no input.
    """

    name: str
    kind: Literal["number", "category"]
    value: str
    relied_by: str | None


YEARS_PER_DAY = 1 / 365.25

MONITORED: tuple[Monitored, ...] = (
    Monitored(name="price", kind="number", value="ln(price)", relied_by=None),
    Monitored(
        name="house_size", kind="number", value="CASE WHEN house_size > 0 THEN ln(house_size) END", relied_by="house_size"
    ),
    Monitored(name="bed", kind="number", value="bed", relied_by="bed"),
    Monitored(name="bath", kind="number", value="bath", relied_by="bath"),
    Monitored(
        name="acre_lot", kind="number", value="CASE WHEN acre_lot >= 0 THEN ln(acre_lot + 0.01) END", relied_by="acre_lot"
    ),
    Monitored(
        name="prev_sold_date",
        kind="number",
        value=f"(prev_sold_date - date '2000-01-01') * {YEARS_PER_DAY!r}::float8",
        relied_by="prev_sold_date",
    ),
    Monitored(name="status", kind="category", value="status", relied_by="status"),
    Monitored(name="state", kind="category", value="state", relied_by="location"),
)

UNSEEN: dict[str, str] = {"unseen_status": "status", "unseen_state": "state", "unseen_zip3": "left(zip_code, 3)"}
"""Signals of values that no batch of the champion has, with SQL for the value."""

AREA = "zip_code"
"""The column whose values are the areas in which homes err and change together."""

IDENTITY = "property_key"
"""The column whose hash picks a sample: the same homes at every call."""
