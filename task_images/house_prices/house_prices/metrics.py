"""How far predictions are from prices, in dollars and in logarithms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from house_prices.model import Floats


def metrics(price: Floats, predicted: pd.DataFrame) -> dict[str, float]:
    """Metrics of (n,) prices against the model's answer for the same rows; empty without rows.

    ``mae``, ``mdae`` and ``rmse`` are dollars, ``mdape`` and the ``within`` and ``coverage`` values shares, the others
    are of log prices.
    """
    if len(price) == 0:
        return {}
    answer = predicted["price"].to_numpy()
    error, log_error = answer - price, np.log(answer) - np.log(price)
    relative = np.abs(error) / price
    log_price = np.log(price)
    inside = (price >= predicted["price_low"].to_numpy()) & (price <= predicted["price_high"].to_numpy())
    return {
        "mae": float(np.mean(np.abs(error))),
        "mdae": float(np.median(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mdape": float(np.median(relative)),
        "within_10_percent": float(np.mean(relative <= 0.1)),
        "within_20_percent": float(np.mean(relative <= 0.2)),
        "mean_abs_log_error": float(np.mean(np.abs(log_error))),
        "log_bias": float(np.mean(log_error)),
        "r2": _r2(price, error),
        "r2_log": _r2(log_price, log_error),
        "coverage": float(np.mean(inside)),
    }


def _r2(actual: Floats, error: Floats) -> float:
    spread = float(np.sum((actual - np.mean(actual)) ** 2))
    return 1 - float(np.sum(error**2)) / spread if spread > 0 else 0.0
