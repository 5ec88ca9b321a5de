"""Real listings through RAW and the real cleaning into CLEAN, with the hold-out of the reference in place of our own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
from ct_clean.step import clean
from ct_contract import TaskInput
from house_prices.columns import NAMES
from house_prices.frames import read_listings

ROOT = Path(__file__).resolve().parents[3]
LISTINGS = Path(os.environ.get("ACCURACY_LISTINGS") or ROOT.parent / "shared" / "data" / "class-api-batches-4.5pct.parquet")
BUCKETS = 5


def read_market() -> pd.DataFrame:
    """The delivered listings with their batch, in the layout of the source."""
    frame = pd.read_parquet(LISTINGS)
    return frame.sort_values("batch", kind="stable").reset_index(drop=True)


def reference_bucket(street: pd.Series, zip_code: pd.Series) -> pd.Series:
    """md5(street|zip) mod 5: both as whole numbers without leading zeros, the whole digest as one number."""
    keys = [f"{int(s)}|{int(z)}" for s, z in zip(street, zip_code, strict=True)]
    buckets = [int(hashlib.md5(key.encode()).hexdigest(), 16) % BUCKETS for key in keys]
    return pd.Series(buckets, index=street.index)


def clean_frame(market: pd.DataFrame, owner_url: str) -> pd.DataFrame:
    """All batches written to RAW, cleaned by the step itself and read as training reads them."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for number, rows in market.groupby("batch"):
            batch_id = _add_batch(owner, int(number), rows)
            clean(TaskInput(task="clean", dag_id="bench", run_id=f"r{number}", inputs={"batch_id": batch_id}))
        return read_listings(owner)


def _add_batch(owner: psycopg.Connection, number: int, rows: pd.DataFrame) -> int:
    request = owner.execute(
        "INSERT INTO raw.requests (stream, run_id, kind, url, outcome) VALUES ('s', %s, 'data', 'u', 'stored') "
        "RETURNING request_id",
        (f"r{number}",),
    ).fetchone()[0]
    batch_id = owner.execute(
        "INSERT INTO raw.batches (stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, body_sha256, "
        "envelope, schema_seen, requested_at) VALUES ('s', %s, 'bench', %s, %s, %s, 1, 'x', '{}', '{}', now()) "
        "RETURNING batch_id",
        (number, f"r{number}", request, len(rows)),
    ).fetchone()[0]
    values = rows[list(NAMES)].astype(object).where(rows[list(NAMES)].notna(), None)
    with owner.cursor().copy(f"COPY raw.listings (batch_id, row_number, {', '.join(NAMES)}) FROM STDIN") as copy:
        for position, row in enumerate(values.itertuples(index=False), start=1):
            copy.write_row((batch_id, position, *row))
    return int(batch_id)


def with_holdout(frame: pd.DataFrame, bucket: int) -> pd.DataFrame:
    """The frame with the reference's bucket as split ``test``; the others are spread in the pipeline's own proportions.

    Of 80 homes outside of the pipeline's test split 7 are for validation and 7 for calibration, by the same hash.
    """
    street = frame["property_key"].str.split("|").str[0].astype("int64")
    held = reference_bucket(street, frame["zip_code"].astype(str)) == bucket
    own = [int(hashlib.md5(key.encode()).hexdigest()[:8], 16) % 100 for key in frame["property_key"]]
    within = np.asarray(own) * 80 // 100
    split = np.where(within < 7, "validation", np.where(within < 14, "calibration", "train"))
    return frame.assign(split=np.where(held, "test", split))


def quarantined_homes(market: pd.DataFrame, frame: pd.DataFrame, bucket: int) -> pd.DataFrame:
    """Rows of the hold-out that cleaning keeps from training, priced at 10,000 or more: they are judged all the same."""
    zips = market["zip_code"].astype(int).map("{:05d}".format)
    keys = market["street"].astype("int64").astype(str) + "|" + zips
    missing = ~keys.isin(set(frame["property_key"])) & (market["price"] >= 10_000)
    held = reference_bucket(market["street"], market["zip_code"]) == bucket
    return market[missing & held].assign(zip_code=zips, property_key=keys, split="test")
