"""What homes are like: bedrooms and bathrooms from their measured joint table, floor area, lot."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import numpy.typing as npt

from ct_data_source.synthetic.places import Places
from ct_data_source.synthetic.states import STATES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

JOINT = np.array(
    [
        [1.40, 0.24, 0.01, 0, 0, 0, 0],
        [5.50, 7.34, 1.52, 0.06, 0, 0, 0],
        [5.83, 27.47, 11.12, 1.93, 0.15, 0.02, 0],
        [0.65, 8.56, 12.02, 4.59, 0.99, 0.21, 0.05],
        [0.07, 0.84, 2.65, 2.19, 1.06, 0.46, 0.25],
        [0, 0.24, 0.34, 0.46, 0.35, 0.22, 0.23],
        [0, 0.03, 0.06, 0.07, 0.06, 0.05, 0.14],
        [0, 0.01, 0.07, 0.12, 0.06, 0.07, 0.24],
    ]
)
"""Percent of complete listings by bedrooms (rows: 1 to 8 or more) and bathrooms (columns: 1 to 7 or more)."""

WEALTH_ROOMS = 0.38
RURAL_SHARE = 0.19

_GRID = np.linspace(-6, 6, 4001)
_NORMAL = np.array([0.5 * (1 + erf(value / sqrt(2))) for value in _GRID])


def rooms(wealth: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Bedrooms and bathrooms, shape (n,) each: the joint table, with more bathrooms where ``wealth`` is high."""
    # A Gaussian copula: the table's shares stay as they are, only who gets which bathrooms leans with the place.
    score = WEALTH_ROOMS * np.clip(wealth, -4, 4) + sqrt(1 - WEALTH_ROOMS**2) * random.standard_normal(wealth.size)
    by_bath = np.cumsum(JOINT.sum(axis=0))
    bath = np.minimum(np.searchsorted(by_bath / by_bath[-1], np.interp(score, _GRID, _NORMAL), side="right"), 6)
    by_bed = np.cumsum(JOINT, axis=0) / JOINT.sum(axis=0)
    bed = np.minimum((random.random(wealth.size) >= by_bed[:, bath]).sum(axis=0), 7)
    return _open_end(bed + 1.0, 8, 0.52, random), _open_end(bath + 1.0, 7, 0.58, random)


def _open_end(values: Floats, last: int, stop: float, random: np.random.Generator) -> Floats:
    more = values == last
    values[more] += np.minimum(random.geometric(stop, int(more.sum())) - 1, 12)
    return values


def house_sizes(place: Integers, places: Places, bed: Floats, bath: Floats, random: np.random.Generator) -> Floats:
    """Square feet, shape (n,): rooms and the state's usual size; some are rounded as people do."""
    usual = np.log(np.array([state.size for state in STATES]) / 1758)
    log_size = (
        6.397
        + 0.156 * np.minimum(bed, 8)
        + 0.239 * np.minimum(bath, 7)
        + 0.55 * usual[places.state[place]]
        + 0.24 * random.standard_t(5, place.size) / sqrt(5 / 3)
    )
    size = np.round(np.clip(np.exp(log_size), 240, 18_000))
    habit = random.random(place.size)
    size = np.where(habit < 0.06, np.round(size / 100) * 100, size)
    return np.where((habit >= 0.06) & (habit < 0.17), np.round(size / 10) * 10, size)


def lots(place: Integers, places: Places, random: np.random.Generator) -> Floats:
    """Acres with two decimals, shape (n,): a body of town lots around the state's median and a rural tail."""
    usual = np.log(np.array([state.lot for state in STATES]))
    log_lot = usual[places.state[place]] - 0.16 + places.lot[place] + 0.48 * random.standard_normal(place.size)
    rural = random.random(place.size) < RURAL_SHARE
    log_lot[rural] += random.gamma(1.8, 1.05, int(rural.sum()))
    small = random.random(place.size) < 0.09
    log_lot[small] -= random.gamma(1.5, 0.85, int(small.sum()))
    acres: Floats = np.round(np.clip(np.exp(log_lot), 0.01, 6_000), 2)
    return acres
