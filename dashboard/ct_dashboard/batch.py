"""Many estimates from one CSV file: reading it, asking in parts, and the table that comes back. Knows no Streamlit."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ct_dashboard.api import MAX_INSTANCES, ApiError, PricedRow

FIELDS = (
    "status", "bed", "bath", "acre_lot", "city", "state", "zip_code", "house_size", "prev_sold_date", "brokered_by",
)  # fmt: skip
"""What the API takes of a home; a contract test holds it to serving's own fields."""

NUMBERS = ("bed", "bath", "acre_lot", "house_size", "brokered_by")
"""Fields that the API takes as numbers only, and a file has as text."""

MOST_ROWS = 20_000
ANSWERS = ("price", "price_low", "price_high", "model_version", "warnings", "error")

EXAMPLE = (
    "status,bed,bath,acre_lot,city,state,zip_code,house_size\n"
    "for_sale,3,2,0.12,Adjuntas,Puerto Rico,00601,920\n"
    "sold,4,3,0.5,,California,94103,2100\n"
)
"""A file that people can begin with."""


class SheetError(Exception):
    """The file cannot be read as homes: ``code`` says why, ``facts`` with which numbers or names."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True)
class Sheet:
    """The rows of a file: every column as it stands there, and which columns the API takes and which it does not."""

    columns: Sequence[str]
    rows: Sequence[dict[str, str]]
    used: Sequence[str]
    ignored: Sequence[str]

    def homes(self) -> list[dict[str, Any]]:
        """What is sent for each row; an empty cell is an unknown field, and what is no number is for the API to refuse."""
        return [{name: _value(name, row[name].strip()) for name in self.used} for row in self.rows]


@dataclass
class Pricing:
    """The answers so far, in the order of the rows, and what stopped it."""

    rows: list[PricedRow] = field(default_factory=list)
    error: ApiError | None = None


def read_sheet(content: bytes) -> Sheet:
    """The homes of a CSV file in UTF-8 whose first line names columns as the API does; comma, semicolon or tab between.

    Raises SheetError: ``encoding``, ``empty``, ``columns`` (none is known), ``twice`` (``column``), ``length`` (``line``,
    ``found``, ``expected``), ``rows`` (``rows``, ``most``).
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SheetError("encoding") from error
    if not text.strip():
        raise SheetError("empty")
    first = text.lstrip().splitlines()[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    columns: list[str] = []
    rows: list[dict[str, str]] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not columns:
            columns = _columns(cells)
            continue
        if len(cells) != len(columns):
            raise SheetError("length", line=reader.line_num, found=len(cells), expected=len(columns))
        rows.append(dict(zip(columns, cells, strict=True)))
        if len(rows) > MOST_ROWS:
            raise SheetError("rows", most=MOST_ROWS)
    if not rows:
        raise SheetError("empty")
    used = [name for name in columns if name in FIELDS]
    return Sheet(columns, rows, used, [name for name in columns if name not in FIELDS])


def _value(name: str, cell: str) -> str | float | None:
    if not cell:
        return None
    if name not in NUMBERS:
        return cell
    try:
        number = float(cell)
    except ValueError:
        return cell
    if not math.isfinite(number):
        return cell
    return int(number) if number.is_integer() else number


def _columns(cells: Sequence[str]) -> list[str]:
    """Column names as the API writes them: capitals and blanks do not matter."""
    names = [cell.strip().lower().replace(" ", "_") for cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SheetError("twice", column=twice or "–")
    if not set(names) & set(FIELDS):
        raise SheetError("columns", found=", ".join(names)[:200], expected=", ".join(FIELDS))
    return names


def price(homes: Sequence[dict[str, Any]], predict: Callable[[Sequence[dict[str, Any]]], list[PricedRow]]) -> Iterator[Pricing]:
    """Ask for all homes in calls of MAX_INSTANCES; after each call what there is so far. It ends with a call that fails."""
    done = Pricing()
    for start in range(0, len(homes), MAX_INSTANCES):
        try:
            done.rows += predict(homes[start : start + MAX_INSTANCES])
        except ApiError as error:
            done.error = error
            yield done
            return
        yield done


def answers(sheet: Sheet, priced: Sequence[PricedRow]) -> pd.DataFrame:
    """The file's rows with their answers beside them, under names that a program can read; unanswered rows have none."""
    table = pd.DataFrame(sheet.rows, columns=list(sheet.columns))
    # A file that was made here before has columns of these names already.
    table = table.drop(columns=[name for name in ANSWERS if name in table])
    found: dict[str, list[Any]] = {name: [] for name in ANSWERS}
    for row in priced:
        values = (
            row.price,
            row.low,
            row.high,
            row.model_version if row.price is not None else None,
            "; ".join(f"{warning['field']}: {warning['kind']}" for warning in row.warnings) or None,
            "; ".join(f"{problem['field']}: {problem['message']}" for problem in row.problems) or None,
        )
        for name, value in zip(ANSWERS, values, strict=True):
            found[name].append(value)
    missing = len(table) - len(priced)
    return table.assign(**{name: values + [None] * missing for name, values in found.items()})


def as_csv(table: pd.DataFrame) -> bytes:
    """The table as a file in UTF-8 that spreadsheets recognise; prices to the dollar."""
    shown = table.copy()
    for name in ("price", "price_low", "price_high"):
        shown[name] = pd.to_numeric(shown[name]).round().astype("Int64")
    content: bytes = shown.to_csv(index=False).encode("utf-8-sig")
    return content
