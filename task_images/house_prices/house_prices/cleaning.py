"""The cleaning rules of the data set, as SQL conditions over rows whose values have been read into their types.

A row goes to quarantine by the first rule that it breaks. ``VERSION`` changes with any of them.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row breaks the rule where ``breaks`` is true; ``found`` is the SQL text that shows what stood there."""

    name: str
    breaks: str
    found: str


_NUMBER = r"'^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?\s*$'"
_LONGEST_NUMBER = 100
"""Characters; with exponents of two digits nothing of this length leaves the range of a double."""

_DATE = r"'^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$'"


def number_as_read(name: str) -> str:
    """SQL for a number column of ``raw.listings AS r``: the number, also where it arrived as text that reads as one."""
    text = f"(r.other->>'{name}')"
    return (
        f"coalesce(r.{name}, CASE WHEN jsonb_typeof(r.other->'{name}') = 'string' AND {text} ~ {_NUMBER} "
        f"AND length({text}) <= {_LONGEST_NUMBER} THEN {text}::double precision END)"
    )


def date_as_read(name: str) -> str:
    """SQL for a text column of ``raw.listings AS r`` as a date; what is no day of the calendar is null.

    ``pg_input_is_valid`` would say it shorter, and would need PostgreSQL 16.
    """
    text = f"r.{name}"
    last_day = f"date_part('day', (left({text}, 8) || '01')::date + interval '1 month' - interval '1 day')"
    return (
        f"CASE WHEN {text} ~ {_DATE} AND left({text}, 4) > '0000' THEN "
        f"CASE WHEN substr({text}, 9)::integer <= {last_day} THEN {text}::date END END"
    )


def whole_number_as_read(name: str, limit: str) -> str:
    """The same, where it is a whole number from 0 to below ``limit``, as bigint; any other number is null."""
    number = number_as_read(name)
    return f"CASE WHEN {number} >= 0 AND {number} < {limit} AND {number} = trunc({number}) THEN {number}::bigint END"


def text_as_read(name: str) -> str:
    """SQL for a text column of ``raw.listings AS r`` without blanks around it; nothing but blanks is null."""
    return f"nullif(btrim(r.{name}), '')"


BROKER = whole_number_as_read("brokered_by", "2e9")
STREET = whole_number_as_read("street", "9e15")
ZIP_NUMBER = f"nullif({whole_number_as_read('zip_code', '100000')}, 0)"
"""The zip code as a number of ``raw.listings AS r``: it is delivered without its leading zeros, and 0 is none."""


def zip_code(number: str) -> str:
    """SQL for the five digits of a zip code from its number."""
    return f"lpad(({number})::text, 5, '0')"


PROPERTY_KEY = f"({STREET})::text || '|' || {zip_code(ZIP_NUMBER)}"
"""What listings of one home share; null where street or zip code is unusable."""


def _absent(column: str) -> str:
    return f"coalesce(other->>'{column}', 'nothing')"


QUARANTINE: tuple[Rule, ...] = (
    Rule(name="PRICE_UNREADABLE", breaks="price IS NULL", found=_absent("price")),
    Rule(name="PRICE_BELOW_10000", breaks="price < 10000", found="price::text"),
    Rule(name="PRICE_ABOVE_1_BILLION", breaks="price > 1e9", found="price::text"),
    Rule(name="STATUS_MISSING", breaks="status IS NULL", found=_absent("status")),
    Rule(name="STATE_MISSING", breaks="state IS NULL", found=_absent("state")),
    Rule(name="STREET_MISSING", breaks="street IS NULL", found=_absent("street")),
    Rule(name="ZIP_CODE_INVALID", breaks="zip_code IS NULL", found="coalesce(zip_delivered, 'nothing')"),
    Rule(name="BED_IMPLAUSIBLE", breaks="bed < 0 OR bed > 20", found="bed::text"),
    Rule(name="BATH_IMPLAUSIBLE", breaks="bath < 0 OR bath > 20", found="bath::text"),
    Rule(name="HOUSE_SIZE_IMPLAUSIBLE", breaks="house_size < 100 OR house_size > 20000", found="house_size::text"),
)
"""What a listing of one home cannot be. A price of 1 is a placeholder, 20,000 square feet or 20 bedrooms are a building."""

ACRE_LOT_LARGEST = 10_000
"""Acres. The source writes 100000 for an unknown lot; what lies above this is read as unknown and the row stays."""

TEST_BUCKETS = 20
VALIDATION_BUCKETS = 7
CALIBRATION_BUCKETS = 7

SPLIT = f"""
CASE WHEN bucket < {TEST_BUCKETS} THEN 'test'
     WHEN bucket < {TEST_BUCKETS + VALIDATION_BUCKETS} THEN 'validation'
     WHEN bucket < {TEST_BUCKETS + VALIDATION_BUCKETS + CALIBRATION_BUCKETS} THEN 'calibration'
     ELSE 'train' END
""".strip()
"""Which side a home is on, from its bucket: fixed when it is first seen, the same for every listing of it."""
