"""The synthetic source's homes as rows of CLEAN, without a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_data_source.synthetic.generate import batches
from house_prices.cleaning import CALIBRATION_BUCKETS, TEST_BUCKETS, VALIDATION_BUCKETS

CATEGORIES = ("status", "city", "state", "zip_code", "prev_sold_date")


def clean_batches(seed: int, scale: float) -> Iterator[pd.DataFrame]:
    """The six batches at ``scale`` percent, rows that quarantine would take left out, as `house_prices.frames` reads them.

    ``street`` and ``bucket`` are columns too. ``relisted`` marks homes of an earlier row.
    """
    known: set[str] = set()
    for number, table in enumerate(batches(seed, scale), start=1):
        frame = table.to_pandas()
        fits = (
            frame["price"].between(10_000, 1e9)
            & frame["bed"].between(0, 20)
            & frame["bath"].between(0, 20)
            & frame["house_size"].between(100, 20_000)
        )
        frame = frame[fits].reset_index(drop=True)
        street = frame["street"].astype("int64")
        zip_code = frame["zip_code"].astype("int64").astype(str).str.zfill(5)
        key = street.astype(str) + "|" + zip_code
        bucket = _buckets(key)
        rows: dict[str, Any] = {
            "batch_id": number,
            "row_number": np.arange(1, len(frame) + 1),
            "property_key": key,
            "bucket": bucket,
            "split": pd.Categorical(_split(bucket)),
            "relisted": key.duplicated() | key.isin(known),
            "street": street,
            **{name: frame[name].astype(float) for name in ("brokered_by", "price", "bed", "bath", "acre_lot", "house_size")},
            **{name: frame[name].astype("category") for name in CATEGORIES if name != "zip_code"},
            "zip_code": zip_code.astype("category"),
        }
        known.update(key)
        yield pd.DataFrame(rows)


def _buckets(keys: pd.Series[str]) -> npt.NDArray[np.int64]:
    return np.array([int(hashlib.md5(key.encode()).hexdigest()[:8], 16) % 100 for key in keys])


def _split(bucket: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    edges = np.cumsum([TEST_BUCKETS, VALIDATION_BUCKETS, CALIBRATION_BUCKETS])
    names = np.array(["test", "validation", "calibration", "train"], dtype=object)
    return names[np.searchsorted(edges, bucket, side="right")]


def population(seed: int, scale: float) -> pd.DataFrame:
    """All batches as one: every home once, in random order."""
    frames = [frame.astype(dict.fromkeys(CATEGORIES, object)) for frame in clean_batches(seed, scale)]
    rows = pd.concat(frames, ignore_index=True)
    rows = rows[~rows["relisted"]].sample(frac=1, random_state=seed).reset_index(drop=True)
    return rows.astype(dict.fromkeys(CATEGORIES, "category"))
