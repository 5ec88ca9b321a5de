"""What a model was trained on, so that later rows can be compared with it, and how it errs on the hold-out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from house_prices.model import Floats

NUMBERS = ("price", "bed", "bath", "acre_lot", "house_size")
RANGES = ("bed", "bath", "acre_lot", "house_size")
KNOWN = ("status", "state", "city", "zip_code")
QUANTILES = (0.0, 0.001, 0.01, 0.05, *(q / 10 for q in range(1, 10)), 0.95, 0.99, 0.999, 1.0)


def profile(frame: pd.DataFrame) -> dict[str, Any]:
    """Quantiles of each number, shares of each category (zip codes by their first three digits), shares of what is absent."""
    numbers = {
        name: {str(q): float(value) for q, value in frame[name].quantile(list(QUANTILES)).dropna().items()} for name in NUMBERS
    }
    categories = {
        "status": frame["status"].astype(object),
        "state": frame["state"].astype(object),
        "zip3": frame["zip_code"].astype(object).str[:3],
        "prev_sold_year": frame["prev_sold_date"].astype(object).str[:4],
    }
    shares = {
        name: {str(key): float(value) for key, value in column.value_counts(normalize=True).sort_index().items()}
        for name, column in categories.items()
    }
    absent = {str(name): float(value) for name, value in frame.isna().mean().items()}
    return {"rows": len(frame), "numbers": numbers, "categories": shares, "absent": absent}


def domain(frame: pd.DataFrame) -> dict[str, Any]:
    """``known`` values and ``ranges`` of the training rows: serving warns about what lies outside of them."""
    known = {name: sorted(frame[name].dropna().astype(str).unique()) for name in KNOWN}
    ranges = {name: [float(frame[name].min()), float(frame[name].max())] for name in RANGES if frame[name].notna().any()}
    return {"known": known, "ranges": ranges}


def holdout_errors(frame: pd.DataFrame, predicted: pd.DataFrame) -> dict[str, Any]:
    """Mean absolute log error of (n,) rows, also by the first three digits of the zip code, with the number of rows."""
    error: Floats = np.abs(np.log(predicted["price"].to_numpy()) - np.log(frame["price"].to_numpy()))
    area = frame["zip_code"].astype(object).str[:3].to_numpy()
    table = pd.Series(error).groupby(area).agg(["mean", "size"])
    return {
        "rows": len(frame),
        "mean_abs_log_error": float(error.mean()) if len(error) else None,
        "by_zip3": {str(key): [float(row["mean"]), int(row["size"])] for key, row in table.iterrows()},
    }
