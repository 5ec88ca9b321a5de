"""A property that is written the usual way, checked by hand: what `schemas.Property` makes of it, thirty times as fast.

Anything unusual is None here and Pydantic's to judge, so that problems are told in one place. Limits are read from
`Property` itself.
"""

from __future__ import annotations

import math
import re
from datetime import date
from functools import lru_cache
from typing import Any, Final

import annotated_types
import orjson

from ct_serving.schemas import FIELDS, Property

Values = tuple[Any, ...]
"""The values of FIELDS in their order: numbers, trimmed texts that are not empty, five digits of a zip code, a date as
YYYY-MM-DD; None where it is not known."""

MOST_BYTES: Final = 2000
"""A longer body is no single property as people write it."""


def values_of(row: Property) -> Values:
    """The values of a valid property."""
    return tuple(value.isoformat() if type(value) is date else value for value in (getattr(row, name) for name in FIELDS))


def usual_request(body: bytes) -> Values | None:
    """The values of a body that is one usual property, else None."""
    # The body goes to PostgreSQL as it is, which takes no NUL, and no number with an exponent of five digits.
    if len(body) > MOST_BYTES or b"\\u0000" in body or _EXPONENT.search(body):
        return None
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return usual_values(content)


def usual_values(given: Any) -> Values | None:
    """The values of an object that holds nothing but usual values of known fields, else None."""
    if type(given) is not dict or not given.keys() <= _NAMES:
        return None
    values = []
    for name, check, limits in _CHECKS:
        value = given.get(name)
        if value is not None:
            value = check(value, limits)
            if value is None:
                return None
        values.append(value)
    return tuple(values)


def _number(value: Any, limits: tuple[float, float]) -> float | None:
    kind = type(value)
    return value if (kind is float or kind is int) and limits[0] <= value <= limits[1] else None


def _text(value: Any, limits: tuple[float, float]) -> str | None:
    return value if type(value) is str and 0 < len(value) <= limits[1] and value.strip() == value else None


def _zip_code(value: Any, _: Any) -> str | None:
    if type(value) is str:
        return value if len(value) == 5 and value.isascii() and value.isdigit() and value != "00000" else None
    return f"{value:05d}" if type(value) is int and 0 < value <= 99_999 else None


def _date(value: Any, _: Any) -> str | None:
    return value if type(value) is str and _is_day(value) else None


@lru_cache(maxsize=65_536)
def _is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        return False
    try:
        return bool(_DAYS[0] <= date.fromisoformat(text) <= _DAYS[1])
    except ValueError:
        return False


def _limits(name: str) -> tuple[Any, Any]:
    low: Any = -math.inf
    high: Any = math.inf
    for rule in Property.model_fields[name].metadata:
        if isinstance(rule, annotated_types.Ge):
            low = rule.ge
        elif isinstance(rule, annotated_types.Gt):
            low = math.nextafter(float(rule.gt), math.inf)  # type: ignore[arg-type]
        elif isinstance(rule, annotated_types.Le):
            high = rule.le
        elif isinstance(rule, annotated_types.MaxLen):
            high = rule.max_length
    return low, high


_EXPONENT: Final = re.compile(rb"[0-9][eE]")
_DAYS: Final = _limits("prev_sold_date")
_NAMES: Final = frozenset(FIELDS)
_SPECIAL: Final = {"zip_code": _zip_code, "prev_sold_date": _date, "status": _text, "city": _text, "state": _text}
_CHECKS: Final = tuple((name, _SPECIAL.get(name, _number), _limits(name)) for name in FIELDS)
