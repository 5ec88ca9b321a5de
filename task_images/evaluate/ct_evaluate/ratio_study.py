"""Ratio study of appraisals: how evenly cheap and dear homes are priced (IAAO, Standard on Ratio Studies, 2013)."""

from __future__ import annotations

import numpy as np
from house_prices.model import Floats


def ratio_study(price: Floats, answer: Floats) -> dict[str, float]:
    """Statistics of the ratios answer / price of (n,) homes; empty below two homes.

    ``median_ratio``; ``cod``, the mean absolute deviation from the median ratio, as a share of it; ``prd``, mean ratio over
    weighted mean ratio (above 1: dear homes are priced relatively low); ``prb``, the slope of the relative deviation of the
    ratio on the binary logarithm of value, where value is the mean of price and answer / median ratio (below 0: the same).
    """
    if len(price) < 2:
        return {}
    ratio = answer / price
    middle = float(np.median(ratio))
    value = np.log2((price + answer / middle) / 2)
    spread = value - value.mean()
    square = float(spread @ spread)
    deviation = (ratio - middle) / middle
    return {
        "median_ratio": middle,
        "cod": float(np.mean(np.abs(ratio - middle))) / middle,
        "prd": float(np.mean(ratio)) / (float(np.sum(answer)) / float(np.sum(price))),
        "prb": float(spread @ deviation) / square if square > 0 else 0.0,
    }
