"""The homes on which every version is scored and explained at the same moment: a bottom-k sample of the hold-out.

The k homes whose key has the smallest MD5 sums are a simple random sample of all hold-out homes seen so far, whatever the
order in which they arrived (Cohen and Kaplan, Summarizing Data using Bottom-k Sketches, PODC 2007). The sample changes only
where a home of a new batch has a smaller sum than one of its own, and a home counts with its first listing, so that two sets
that follow each other share most homes. Versions are compared within one set, never across sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_store.connection import Connection
from house_prices.frames import COLUMNS, frame_digest, read_listings
from house_prices.model import RAW_COLUMNS, numeric

SET_HOMES = 20_000
"""Homes on which versions are scored: the interval of the MAE is then a few percent wide, and a version takes a second."""

BACKGROUND_HOMES = 1_000
"""The first of them, on which versions are explained."""

FEWEST_ROWS = 30
FEWEST_AREAS = 5
"""A slice with fewer homes or zip codes is not shown: its interval would say nothing."""

MOST_STATES = 15
"""Slices by state: those with the most homes."""

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FixedSet:
    """The homes in the order of their MD5 sums, shape (n, columns of CLEAN), with the digest that names them."""

    frame: pd.DataFrame
    digest: str

    @property
    def areas(self) -> int:
        """How many zip codes they lie in."""
        return int(self.frame["zip_code"].nunique())

    @property
    def background(self) -> pd.DataFrame:
        """The homes on which versions are explained."""
        return self.frame.head(BACKGROUND_HOMES)

    def background_homes(self) -> list[dict[str, Any]]:
        """The same as plain values, None where a value is not known."""
        names = ("property_key", "price", *RAW_COLUMNS)
        columns = [self.background[name].astype(object).tolist() for name in names]
        return [
            {name: None if _absent(value) else value for name, value in zip(names, home, strict=True)}
            for home in zip(*columns, strict=True)
        ]


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_fixed_set(connection: Connection, batch_ids: Sequence[int]) -> FixedSet:
    """The set drawn from the hold-out homes of these batches; it may be empty."""
    # Without the ids of batch and row, which a database gives out and a killed try may have used up.
    columns = [name for name in COLUMNS if name not in ("batch_id", "row_number", "split", "relisted")]
    frame = read_listings(connection, splits=["test"], batch_ids=batch_ids, columns=columns, homes=SET_HOMES)
    return FixedSet(frame, frame_digest(frame))


def slices(frame: pd.DataFrame) -> Iterator[tuple[str, str, Rows]]:
    """Dimension, slice and rows (n,) of the whole set and of its parts, by what is known before a sale.

    States, statuses, and thirds of the house size, which are named by their limits in square feet ("1200:1800", an open end
    is empty). Parts with too few homes or zip codes are left out.
    """
    yield "all", "", np.ones(len(frame), dtype=bool)
    for name, most in (("state", MOST_STATES), ("status", 5)):
        counts = frame[name].astype(object).value_counts()
        for value in sorted(counts.index, key=lambda value: (-int(counts[value]), str(value)))[:most]:
            yield from _large_enough(frame, name, str(value), (frame[name] == value).to_numpy())
    size = numeric(frame, "house_size")
    known = size[np.isfinite(size)]
    limits = [round(float(limit)) for limit in np.quantile(known, [1 / 3, 2 / 3])] if len(known) else []
    for low, high in zip([None, *limits], [*limits, None], strict=True) if limits else ():
        with np.errstate(invalid="ignore"):
            rows = np.isfinite(size) & (size >= (-np.inf if low is None else low)) & (size < (np.inf if high is None else high))
        yield from _large_enough(frame, "house_size", f"{low or ''}:{high or ''}", rows)


def _large_enough(frame: pd.DataFrame, dimension: str, value: str, rows: Rows) -> Iterator[tuple[str, str, Rows]]:
    if rows.sum() >= FEWEST_ROWS and frame.loc[rows, "zip_code"].nunique() >= FEWEST_AREAS:
        yield dimension, value, rows
