"""The development sample of real listings as rows of CLEAN, and models trained on them by the pipeline's own code."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ct_train.fitting import fit
from house_prices.frames import COLUMNS

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("BENCH_DATA", ROOT.parent / "shared" / "data"))
TEXTS = ("status", "city", "state", "zip_code", "prev_sold_date", "split")


def read_batches() -> pd.DataFrame:
    """The six batches as CLEAN holds them: its columns, its rules of quarantine, its splits by a hash of the home."""
    raw = pd.read_parquet(DATA / "class-api-batches-4.5pct.parquet")
    raw = raw[(raw["price"] >= 10_000) & raw["house_size"].between(100, 20_000) & (raw["bed"] <= 20) & (raw["bath"] <= 20)]
    frame = raw.sort_values("batch", kind="stable").reset_index(drop=True)
    frame["batch_id"] = frame["batch"].astype("int64")
    frame["row_number"] = frame.groupby("batch_id").cumcount() + 1
    frame["zip_code"] = frame["zip_code"].astype("int64").astype(str).str.zfill(5)
    frame["property_key"] = frame["street"].astype("int64").astype(str) + "|" + frame["zip_code"]
    frame.loc[frame["acre_lot"] > 10_000, "acre_lot"] = np.nan
    bucket = np.array([int(hashlib.md5(key.encode()).hexdigest()[:8], 16) % 100 for key in frame["property_key"]])
    frame["split"] = np.select([bucket < 20, bucket < 27, bucket < 34], ["test", "validation", "calibration"], "train")
    frame["relisted"] = frame["property_key"].duplicated()
    for name in TEXTS:
        frame[name] = frame[name].astype("category")
    return frame[list(COLUMNS)]


class Model:
    """A trained model behind MLflow's interface, without MLflow."""

    def __init__(self, frame: pd.DataFrame, directory: Path, seed: int) -> None:
        directory.mkdir(parents=True)
        self.trained = fit(frame, directory, seed).model

    def predict(self, rows: pd.DataFrame) -> Any:
        """Prices with their intervals."""
        return self.trained.predict(rows)
