"""Intervals by a bootstrap of whole clusters (zip codes): homes of one area err together, so rows are not independent.

Each resample draws as many clusters as there are, with replacement. Statistics of means only need
the sums within clusters, so that the cost does not grow with the rows (Davison and Hinkley, Bootstrap Methods and their
Application, 1997, section 3.8). Percentile intervals; deterministic for a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ct_decisions.policy import BootstrapPolicy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

INFINITELY = 1e9

_CHUNK_CELLS = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A statistic and its interval.

    ``areas`` are the clusters that the interval rests on, None where it is not one of clusters. Of a single cluster every
    resample is the same, so that the interval has no width, and of a few it is far too narrow.
    """

    value: float
    low: float
    high: float
    areas: int | None = None

    def can_prove(self, least_areas: int) -> bool:
        """Whether the interval rests on so many clusters."""
        return self.areas is None or self.areas >= least_areas


class Clusters:
    """Rows grouped by a label. ``labels`` has shape (n,)."""

    def __init__(self, labels: npt.ArrayLike) -> None:
        names, self.index = np.unique(np.asarray(labels), return_inverse=True)
        self.count = len(names)
        self.rows = len(self.index)

    def sums(self, values: Floats) -> Floats:
        """Sums of (n,) values by cluster, shape (count,)."""
        return np.bincount(self.index, weights=values, minlength=self.count).astype(np.float64)

    def weights(self, policy: BootstrapPolicy) -> Iterator[Floats]:
        """How often each resample draws each cluster, as blocks of shape (b, count) that add up to ``resamples`` rows."""
        generator = np.random.default_rng(policy.seed)
        block = max(1, _CHUNK_CELLS // max(self.count, 1))
        for start in range(0, policy.resamples, block):
            drawn = np.empty((min(block, policy.resamples - start), self.count))
            for row in drawn:
                # The same distribution as a multinomial draw of many clusters, ten times faster.
                row[:] = np.bincount(generator.integers(self.count, size=self.count), minlength=self.count)
            yield drawn


def interval(resampled: Floats, value: float, policy: BootstrapPolicy, areas: int | None = None) -> Estimate:
    """The percentile interval of resampled statistics, shape (resamples,), from so many clusters."""
    tail = (1 - policy.confidence) / 2
    low, high = np.quantile(resampled[np.isfinite(resampled)], [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high), areas)


def _over(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient of errors; where there is none to divide by, 1 if both are 0, else a number that can be stored."""
    without: Floats = np.where(np.asarray(numerator) > 0, INFINITELY, 1.0)
    return np.divide(numerator, denominator, out=without, where=np.asarray(denominator) > 0)


def _of_sums(
    statistic: Callable[..., Floats], clusters: Clusters, columns: list[Floats], policy: BootstrapPolicy
) -> tuple[float, Floats]:
    sums = np.stack([clusters.sums(column) for column in columns], axis=1)
    value = statistic(*sums.sum(axis=0))
    resampled = [statistic(*(weights @ sums).T) for weights in clusters.weights(policy)]
    return float(value), np.concatenate(resampled)


def mean(values: Floats, clusters: Clusters, policy: BootstrapPolicy) -> Estimate:
    """The mean of (n,) values."""
    value, resampled = _of_sums(lambda total, n: total / n, clusters, [values, np.ones(len(values))], policy)
    return interval(resampled, value, policy, clusters.count)


def ratio_of_means(
    numerator: Floats,
    numerator_clusters: Clusters,
    denominator: Floats,
    denominator_clusters: Clusters,
    policy: BootstrapPolicy,
) -> Estimate:
    """Mean of one set of rows over the mean of another set, the two resampled independently; the fewer areas count."""

    def divide(total: Floats, n: Floats) -> Floats:
        return total / n

    above, above_resampled = _of_sums(divide, numerator_clusters, [numerator, np.ones(len(numerator))], policy)
    other = replace(policy, seed=policy.seed + 1)
    below, below_resampled = _of_sums(divide, denominator_clusters, [denominator, np.ones(len(denominator))], other)
    areas = min(numerator_clusters.count, denominator_clusters.count)
    value = float(_over(np.asarray(above), np.asarray(below)))
    return interval(_over(above_resampled, below_resampled), value, policy, areas)


def relative_change(
    challenger: Floats, champion: Floats, clusters: Clusters, policy: BootstrapPolicy, *, root: bool = False
) -> Estimate:
    """Challenger's mean over champion's mean, minus 1, on the same rows (paired); ``root`` takes square roots of both means.

    With squared errors and ``root`` that is the change of the RMSE.
    """

    def change(ours: Floats, theirs: Floats) -> Floats:
        ratio = _over(ours, theirs)
        return (np.sqrt(ratio) if root else ratio) - 1

    value, resampled = _of_sums(change, clusters, [challenger, champion], policy)
    return interval(resampled, value, policy, clusters.count)


def median(values: Floats, clusters: Clusters, policy: BootstrapPolicy) -> Estimate:
    """The median of (n,) values: the smallest value at which half of the resampled weight is reached."""
    order = np.argsort(values, kind="stable")
    ordered, index = values[order], clusters.index[order]
    resampled = np.empty(policy.resamples)
    position = 0
    for block in clusters.weights(policy):
        for weights in block:
            reached = np.cumsum(weights[index])
            resampled[position] = ordered[np.searchsorted(reached, reached[-1] / 2)]
            position += 1
    return interval(resampled, float(np.median(values)), policy, clusters.count)


def auc(
    scores: Floats, positive: npt.NDArray[np.bool_], folds: Integers, clusters: Clusters, policy: BootstrapPolicy
) -> Estimate:
    """How often a positive row scores above a negative one of its fold, ties half; all arguments have shape (n,).

    Scores of different folds come from different classifiers and are never compared. The clusters of both sides are
    drawn together, so that an area that has rows on both counts on both. The side of fewer areas counts for the interval.
    """
    order = np.lexsort((scores, folds))
    fold, score = folds[order], scores[order]
    starts = np.r_[True, (fold[1:] != fold[:-1]) | (score[1:] != score[:-1])]
    tie = np.cumsum(starts) - 1
    fold_of_tie = fold[starts]
    first_of_fold = np.searchsorted(fold_of_tie, fold_of_tie, side="left")
    above, cluster = positive[order].astype(np.float64), clusters.index[order]

    def statistic(weights: Floats) -> float:
        ours = np.bincount(tie, weights=weights * above, minlength=len(fold_of_tie))
        theirs = np.bincount(tie, weights=weights * (1 - above), minlength=len(fold_of_tie))
        before = np.cumsum(theirs) - theirs
        below = before - before[first_of_fold]
        by_fold = [np.bincount(fold_of_tie, weights=side) for side in (ours, theirs)]
        pairs = float(by_fold[0] @ by_fold[1])
        return float(ours @ (below + theirs / 2)) / pairs if pairs else float("nan")

    resampled = [statistic(drawn[cluster]) for weights in clusters.weights(policy) for drawn in weights]
    areas = min(len(np.unique(clusters.index[side])) for side in (positive, ~positive))
    return interval(np.asarray(resampled), statistic(np.ones(len(scores))), policy, areas)
