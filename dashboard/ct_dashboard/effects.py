"""How effects, columns and homes are named and drawn: what the charts and tables of explanations share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ct_dashboard.explaining import BASE
from ct_dashboard.insights import Floats, Home
from ct_dashboard.text import Text

_FACTORS = (0.1, 0.25, 0.5, 0.65, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


def column_name(column: str, text: Text) -> str:
    """A column of an explanation as people call it."""
    return text.or_none(f"column.{column}") or column


def part_name(name: str, text: Text) -> str:
    """The same, or what the shift of the bases is called."""
    return text("explain.base") if name == BASE else column_name(name, text)


def factor_text(log_effect: float, text: Text) -> str:
    """An effect in log units as the percentage by which it changes the price."""
    return text.percent(math.expm1(log_effect), 1 if abs(log_effect) < 0.095 else 0)


def effect_axis(values: Floats, text: Text) -> dict[str, object]:
    """Ticks at round percentages that fit the values."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (-0.1, 0.1)
    ticks: list[float] = []
    # From no effect outwards, as many as have room for their label.
    for factor in sorted(_FACTORS, key=lambda factor: abs(math.log(factor))):
        place = math.log(factor)
        inside = low - 0.03 <= place <= high + 0.03
        if inside and all(abs(place - math.log(other)) >= (high - low) / 5 for other in ticks):
            ticks.append(factor)
    return {
        "tickvals": [math.log(factor) for factor in ticks],
        "ticktext": [text.percent(factor - 1, 0) for factor in ticks],
        "tickangle": 0,
    }


def numbers(homes: Sequence[Home], column: str) -> list[float | None]:
    """A column as numbers; dates as years."""
    values = [home.get(column) for home in homes]
    if column == "prev_sold_date":
        return [None if value is None else float(str(value)[:4]) + (int(str(value)[5:7]) - 1) / 12 for value in values]
    return [None if value is None else float(value) for value in values]


def value_text(home: Home, column: str, text: Text) -> str:
    """A home's value of a column of the explanation, in words."""
    if column == "location":
        return ", ".join(str(home[name]) for name in ("city", "state", "zip_code") if home.get(name))
    value = home.get(column)
    if value is None:
        return text("explain.unknown")
    if column in ("bed", "bath", "acre_lot", "house_size"):
        return text.significant(float(value))
    if column == "brokered_by":
        return str(int(value))
    return text.or_none(f"explain.status_{value}") or str(value)


def home_name(home: Home, text: Text) -> str:
    """A home in a few words: place and size."""
    size = home.get("house_size")
    place = value_text(home, "location", text)
    return place if size is None else text("explain.home", place=place, size=text.number(float(size)))
