"""Signs that an answer leaked into the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from house_prices.metrics import metrics
from house_prices.model import RAW_COLUMNS, Floats
from house_prices.scoring import Scored

BINS = 100
"""Of a numeric column, by its quantiles."""


def r2_log(scored: Scored) -> float | None:
    """R2 of log price on (n,) rows with sound answers; None without rows."""
    return metrics(scored.price, scored.answers).get("r2_log")


def most_telling_column(frame: pd.DataFrame) -> tuple[str | None, float | None]:
    """The input that alone explains most of the log price, with its R2; None without two rows of different prices.

    R2 is that of the mean log price of the other homes with the same value (numbers: in the same of 100 quantile bins), so
    that a column of many rare values does not explain its own noise.
    """
    log_price = np.log(frame["price"].to_numpy(dtype=np.float64))
    if len(frame) < 2 or float(np.ptp(log_price)) == 0:
        return None, None
    found = {name: _left_out_r2(frame[name], log_price) for name in RAW_COLUMNS}
    best = max(found, key=lambda name: found[name])
    return best, found[best]


def _left_out_r2(column: Any, target: Floats) -> float:
    if column.dtype.kind in "fiu":
        values = column.to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
        codes = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right") + 1, 0)
    else:
        codes = pd.factorize(column)[0] + 1
    counts, sums = np.bincount(codes), np.bincount(codes, weights=target)
    others = counts[codes] - 1
    overall = (target.sum() - target) / (len(target) - 1)
    guess = np.where(others > 0, (sums[codes] - target) / np.maximum(others, 1), overall)
    total = float(np.sum((target - target.mean()) ** 2))
    return 1 - float(np.sum((target - guess) ** 2)) / total
