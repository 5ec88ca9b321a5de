"""What two versions rely on, where they differ by more than chance, and which homes they price differently, and why.

All from SHAP values of both on the same homes. They are exact: the difference of two log prices is the difference of the
bases plus the differences of the contributions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ct_dashboard.insights import Explanation, Floats, Home

UNMEASURED_NOISE = 0.017
"""Half of the band in share, where a training did not measure its own: shares of two seeds differed by up to 1.7 points."""

STUDENT_5 = 2.776
"""97.5 % quantile of Student's t with four degrees of freedom: the noise is a standard deviation over five trainings."""

NORMAL = 1.96

BASE = "base"
"""The name of the shift of the bases among the columns that moved a price."""


@dataclass(frozen=True)
class Reliance:
    """A column's share of the mean absolute SHAP value in two versions; ``band`` is how much they may differ by chance."""

    column: str
    before: float
    after: float
    band: float

    @property
    def outside(self) -> bool:
        """Whether the difference is larger than chance makes it."""
        return abs(self.after - self.before) > self.band


@dataclass(frozen=True)
class Mover:
    """A home with the log prices of two versions and what moved it: columns and the base, in log units, largest first."""

    home: Home
    before: float
    after: float
    parts: tuple[tuple[str, float], ...]

    @property
    def change(self) -> float:
        """Relative change of the price."""
        return math.expm1(self.after - self.before)


def shares(explanation: Explanation) -> dict[str, float]:
    """Share of the mean absolute SHAP value by column, largest first; zeros where the version relies on nothing."""
    size = np.abs(explanation.contributions).mean(axis=0)
    total = max(float(size.sum()), 1e-12)
    found = {name: float(value) / total for name, value in zip(explanation.columns, size, strict=True)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def compare_reliance(before: Explanation, after: Explanation, areas: Sequence[str]) -> list[Reliance]:
    """Each column's share in both, largest in the newer first. ``areas`` (homes,) are the zip codes of the homes.

    The band joins two independent sources: trainings that differ by chance (Student's t times the standard deviation of a
    difference of two), and the choice of the homes (the linearised standard error of the paired difference, by zip code).
    """
    columns = list(dict.fromkeys((*after.columns, *before.columns)))
    old, new = (_aligned(explanation, columns) for explanation in (before, after))
    chosen = _rows_error(new, areas, minus=old)
    old_shares, new_shares = shares(before), shares(after)
    found = []
    for position, column in enumerate(columns):
        trained = _training_band(before, after, column)
        band = math.hypot(trained, NORMAL * float(chosen[position]))
        found.append(Reliance(column, old_shares.get(column, 0.0), new_shares.get(column, 0.0), band))
    return sorted(found, key=lambda line: (-line.after, -line.before, line.column))


def _training_band(before: Explanation, after: Explanation, column: str) -> float:
    if before.noise is None or after.noise is None:
        return UNMEASURED_NOISE
    return STUDENT_5 * math.hypot(before.noise.get(column, 0.0), after.noise.get(column, 0.0))


def _aligned(explanation: Explanation, columns: Sequence[str]) -> Floats:
    """Contributions of shape (homes, columns); a column that the version does not know contributes nothing."""
    place = {name: position for position, name in enumerate(explanation.columns)}
    nothing = np.zeros(len(explanation.contributions))
    return np.stack([explanation.contributions[:, place[name]] if name in place else nothing for name in columns], axis=1)


def _influence(values: Floats) -> Floats:
    """Influence of each home on the shares, shape of ``values``: a share is a ratio of two sums over homes."""
    size = np.abs(values)
    total = max(float(size.sum()), 1e-12)
    share = size.sum(axis=0) / total
    found: Floats = (size - share * size.sum(axis=1, keepdims=True)) / total
    return found


def _rows_error(values: Floats, areas: Sequence[str], *, minus: Floats) -> Floats:
    """Standard error of the difference of shares, by column: homes of one zip code are one cluster."""
    _, codes = np.unique(np.asarray(areas, dtype=str), return_inverse=True)
    clusters = int(codes.max(initial=-1)) + 1
    if clusters < 2:
        return np.zeros(values.shape[1])
    sums = np.zeros((clusters, values.shape[1]))
    np.add.at(sums, codes, _influence(values) - _influence(minus))
    error: Floats = np.sqrt(clusters / (clusters - 1) * (sums**2).sum(axis=0))
    return error


def movers(before: Explanation, after: Explanation, homes: Sequence[Home], most: int) -> list[Mover]:
    """The homes whose price differs most between the versions, in log units, at most ``most`` of them."""
    columns = list(dict.fromkeys((*after.columns, *before.columns)))
    difference = _aligned(after, columns) - _aligned(before, columns)
    shift = after.base - before.base
    change = after.log_price - before.log_price
    found = []
    for row in np.argsort(-np.abs(change), kind="stable")[:most]:
        parts = [(name, float(value)) for name, value in zip(columns, difference[row], strict=True)] + [(BASE, shift)]
        parts.sort(key=lambda part: -abs(part[1]))
        found.append(Mover(homes[row], float(before.log_price[row]), float(after.log_price[row]), tuple(parts)))
    return found


def moved(before: Explanation, after: Explanation) -> list[tuple[str, float]]:
    """Mean absolute difference of each column's contribution and of the base, in log units, largest first."""
    columns = list(dict.fromkeys((*after.columns, *before.columns)))
    size = np.abs(_aligned(after, columns) - _aligned(before, columns)).mean(axis=0)
    found = [(name, float(value)) for name, value in zip(columns, size, strict=True)]
    return sorted([*found, (BASE, abs(after.base - before.base))], key=lambda part: -part[1])


def swarm(values: Floats, width: float = 0.4, bins: int = 60) -> Floats:
    """Offsets (n,) across a strip, so that values (n,) that are alike lie side by side; the densest bin is ``width`` wide."""
    if len(values) == 0:
        return np.empty(0)
    low, high = float(values.min()), float(values.max())
    index = np.zeros(len(values), dtype=int) if high == low else np.minimum((values - low) / (high - low) * bins, bins - 1)
    index = np.asarray(index, dtype=int)
    counts = np.bincount(index, minlength=bins)
    seen = np.zeros(bins, dtype=int)
    offsets = np.empty(len(values))
    for row in np.argsort(values, kind="stable"):
        place = index[row]
        rank = seen[place]
        # Alternately to both sides of the middle.
        offsets[row] = (rank + 1) // 2 * (1 if rank % 2 else -1)
        seen[place] += 1
    return offsets * (2 * width / max(int(counts.max()), 2))


def ranks(values: Sequence[float | None]) -> list[float | None]:
    """Where each value stands among the known ones, from 0 (lowest) to 1, equal values alike; None where it is not known."""
    known = np.array(sorted(value for value in values if value is not None))
    if len(known) < 2:
        return [None if value is None else 0.5 for value in values]
    last = len(known) - 1
    return [
        None
        if value is None
        else float(np.searchsorted(known, value, side="left") + np.searchsorted(known, value, side="right") - 1) / (2 * last)
        for value in values
    ]


def medians(x: Floats, y: Floats, parts: int = 12) -> tuple[Floats, Floats]:
    """Medians of y along x in parts of about equal size, both of shape (k,); values of x that are equal stay together."""
    edges = np.unique(np.quantile(x, np.linspace(0, 1, parts + 1)[1:-1])) if len(x) else np.empty(0)
    index = np.searchsorted(edges, x, side="right")
    chosen = [index == part for part in range(len(edges) + 1) if (index == part).any()]
    return np.array([np.median(x[rows]) for rows in chosen]), np.array([np.median(y[rows]) for rows in chosen])
