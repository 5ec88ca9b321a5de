"""Requests as the API gets them: one object a home, everything optional. Also the golden ones that every model must answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from house_prices.model import RAW_COLUMNS

TEXTS = ("status", "city", "state", "zip_code", "prev_sold_date")
"""Inputs that are texts; the others are numbers."""

Request = Mapping[str, Any]

UNSEEN: Request = {
    "status": "a status", "state": "Nowhere", "city": "No Town", "zip_code": "99999", "bed": 0.0, "bath": 0.0,
    "acre_lot": 0.0, "house_size": 1e6, "prev_sold_date": "1901-01-01", "brokered_by": 1e9,
}  # fmt: skip
"""A home of which no model has seen anything alike."""


def request_frame(requests: Sequence[Request]) -> pd.DataFrame:
    """Requests as a model's signature wants them: numbers as float64 with NaN, texts as str with NaN, shape (n, 10)."""
    columns: dict[str, Any] = {}
    for name in RAW_COLUMNS:
        values = [request.get(name) for request in requests]
        if name in TEXTS:
            columns[name] = pd.array([None if value is None else str(value) for value in values], dtype="str")
        else:
            columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return pd.DataFrame(columns)


def as_request(given: Request) -> dict[str, Any]:
    """What a client sent as the API reads it: numbers, five digits of a zip code, dates without a time, None for blanks.

    It takes what the API has accepted before; what is not readable here counts as absent.
    """
    request: dict[str, Any] = {}
    for name in RAW_COLUMNS:
        value = given.get(name)
        if isinstance(value, str):
            value = value.strip() or None
        if value is None or isinstance(value, bool):
            request[name] = None
        elif name == "zip_code":
            digits = re.sub(r"\.0+$", "", str(value))
            request[name] = digits.zfill(5) if re.fullmatch(r"[0-9]{1,5}", digits) else None
        elif name in TEXTS:
            request[name] = str(value)[:10] if name == "prev_sold_date" else str(value)
        else:
            request[name] = _number(value)
    return request


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def golden_requests(frame: pd.DataFrame, rows: int) -> list[dict[str, Any]]:
    """At most ``rows`` homes of a frame of listings, evenly spread over it, and the edge cases.

    The edge cases are a home of which nothing is known, one that is like no other, and the first home without each of its
    columns and with an unknown value in each of its texts.
    """
    count = min(rows, len(frame))
    chosen = frame.iloc[np.unique(np.linspace(0, max(len(frame) - 1, 0), count).astype(np.intp))]
    columns = [_plain(chosen, name) for name in RAW_COLUMNS]
    homes = [dict(zip(RAW_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]
    first = homes[0] if homes else dict(UNSEEN)
    edges: list[dict[str, Any]] = [dict.fromkeys(RAW_COLUMNS), dict(UNSEEN)]
    edges += [{**first, name: None} for name in RAW_COLUMNS]
    edges += [{**first, name: UNSEEN[name]} for name in ("status", "state", "city", "zip_code")]
    return homes + edges


def _plain(frame: pd.DataFrame, name: str) -> list[Any]:
    """A column as plain values, None where absent."""
    return [None if pd.isna(value) else value for value in frame[name].astype(object).tolist()]
