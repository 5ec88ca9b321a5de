"""Metrics of one model with intervals that need no resampling, for many versions and slices.

Homes of one zip code err together, so rows are clusters. A statistic that is smooth in means is linearised: with influence
d_i of row i and G clusters its variance is G / (G - 1) times the sum over clusters of squared sums of d_i (Cochran, Sampling
Techniques, 1977, section 6.4; Wolter, Introduction to Variance Estimation, 2007, chapter 6). The interval of the median is
Woodruff's (Journal of the American Statistical Association 47, 1952): the quantiles at the ends of the interval of the share of
rows below it. They agree with the bootstrap of whole zip codes that decides promotions; a unit test holds them to it.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from house_prices.model import Floats
from house_prices.scoring import Scored

Estimates = dict[str, tuple[float, float | None, float | None]]


def estimates(scored: Scored, areas: npt.NDArray[np.intp], confidence: float) -> Estimates:
    """Value, low and high end of each metric on (n,) rows with sound answers; empty without rows.

    ``mae`` and ``rmse`` are dollars, ``mdape`` (median of error / price), ``coverage`` and ``within_20_percent`` shares,
    ``r2_log`` is of log prices. ``areas`` are codes of the zip codes. The ends are None with one zip code only, and for
    ``r2_log`` where all prices are the same.
    """
    if len(scored.price) == 0:
        return {}
    clusters = _Clusters(areas, NormalDist().inv_cdf((1 + confidence) / 2))
    absolute, relative = np.abs(scored.error), np.abs(scored.error) / scored.price
    return {
        "mae": clusters.mean(absolute),
        "rmse": clusters.root_mean(scored.error**2),
        "mdape": clusters.median(relative),
        "within_20_percent": clusters.mean((relative <= 0.2).astype(np.float64)),
        "r2_log": clusters.r2(np.log(scored.price), scored.log_error),
        "coverage": clusters.mean(scored.inside),
    }


class _Clusters:
    """Rows grouped by codes (n,); ``z`` is how many standard errors an interval reaches to each side."""

    def __init__(self, codes: npt.NDArray[np.intp], z: float) -> None:
        names, self.index = np.unique(codes, return_inverse=True)
        self.count, self.z = len(names), z

    def _reach(self, influence: Floats) -> float | None:
        """Half of the interval of a statistic with these influences, shape (n,)."""
        if self.count < 2:
            return None
        sums = np.bincount(self.index, weights=influence, minlength=self.count)
        return self.z * float(np.sqrt(self.count / (self.count - 1) * (sums @ sums)))

    def _interval(self, value: float, influence: Floats) -> tuple[float, float | None, float | None]:
        reach = self._reach(influence)
        return (value, None, None) if reach is None else (value, value - reach, value + reach)

    def mean(self, values: Floats) -> tuple[float, float | None, float | None]:
        value = float(np.mean(values))
        return self._interval(value, (values - value) / len(values))

    def root_mean(self, squares: Floats) -> tuple[float, float | None, float | None]:
        mean = float(np.mean(squares))
        root = float(np.sqrt(mean))
        # On the log scale: squares of a few dear homes may outweigh all others, and a root is never negative.
        reach = self._reach((squares - mean) / (2 * max(mean, 1e-300) * len(squares)))
        return (root, None, None) if reach is None else (root, root * float(np.exp(-reach)), root * float(np.exp(reach)))

    def r2(self, actual: Floats, error: Floats) -> tuple[float, float | None, float | None]:
        # Not by the sum of squares, which rounding leaves above nothing.
        if float(np.ptp(actual)) == 0:
            return 0.0, None, None
        square, spread = error**2, (actual - np.mean(actual)) ** 2
        unexplained, total = float(np.mean(square)), float(np.mean(spread))
        ratio = unexplained / total
        return self._interval(1 - ratio, -(square - ratio * spread) / (total * len(actual)))

    def median(self, values: Floats) -> tuple[float, float | None, float | None]:
        value = float(np.median(values))
        below = (values <= value).astype(np.float64)
        reach = self._reach((below - np.mean(below)) / len(values))
        if reach is None:
            return value, None, None
        low, high = np.quantile(values, np.clip([0.5 - reach, 0.5 + reach], 0, 1))
        return value, float(low), float(high)
