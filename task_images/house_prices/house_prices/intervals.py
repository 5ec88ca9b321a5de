"""90 % intervals that hold in each price range: conformal quantiles by range of the prediction (Mondrian conformal).

Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section 4.5: within a range, the quantile of
the absolute residuals of homes that the model did not see covers a new home with at least the wanted probability.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from house_prices.model import Floats

LEVEL = 0.90
CAUTION = 0.25
"""By how many standard deviations of its count the quantile is raised: a table made from few homes would hold what it says
only in every second training, and the caution vanishes as they become many."""

MOST_RANGES = 10
FEWEST_ROWS = 150
"""Of a range; the quantile of fewer residuals is too uncertain."""


@dataclass(frozen=True)
class IntervalTable:
    """``edges`` (r - 1) cut the predicted log price into ranges, ``half_widths`` (r) are in log units."""

    level: float
    edges: list[float]
    half_widths: list[float]
    rows: list[int]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def fit_intervals(predicted: Floats, actual: Floats, level: float = LEVEL) -> IntervalTable:
    """The table from predicted and actual log prices of calibration rows, each of shape (n,).

    A range has about 150 rows or more, so small calibration sets have fewer ranges. Raises ValueError without rows.
    """
    if len(predicted) == 0:
        raise ValueError("intervals need at least one calibration row")
    ranges = int(np.clip(len(predicted) // FEWEST_ROWS, 1, MOST_RANGES))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, ranges + 1)[1:-1]))
    index = np.searchsorted(edges, predicted, side="right")
    residual = np.abs(actual - predicted)
    widths, rows = [], []
    for position in range(len(edges) + 1):
        inside = np.sort(residual[index == position])
        if len(inside) == 0:
            inside = np.sort(residual)
        spread = np.sqrt(len(inside) * level * (1 - level))
        rank = min(int(np.ceil((len(inside) + 1) * level + CAUTION * spread)), len(inside))
        widths.append(float(inside[rank - 1]))
        rows.append(len(inside))
    return IntervalTable(level, [float(edge) for edge in edges], widths, rows)
