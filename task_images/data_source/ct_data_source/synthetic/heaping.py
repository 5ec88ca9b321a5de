"""Asking prices are round numbers, or just below one: how a price is rounded, by its band."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HABITS = (
    (100_000, 0), (50_000, 0), (25_000, 0), (5_000, 0), (1_000, 0), (100_000, 99_900), (10_000, 9_900), (1_000, 900),
    (100_000, 99_000), (10_000, 9_000), (1_000, 999), (1_000, 500), (100, 0), (1, 0),
)  # fmt: skip
"""Ways to end: a price is moved to the nearest multiple of the first number plus the second."""

BANDS = (100_000, 300_000, 500_000, 1_000_000, 2_000_000)
SHARES = np.array(
    [
        [0.000, 0.010, 0.045, 0.225, 0.160, 0.000, 0.220, 0.135, 0.000, 0.050, 0.015, 0.045, 0.060, 0.035],
        [0.010, 0.030, 0.060, 0.280, 0.130, 0.010, 0.210, 0.100, 0.005, 0.035, 0.018, 0.047, 0.020, 0.045],
        [0.025, 0.055, 0.090, 0.275, 0.135, 0.010, 0.150, 0.055, 0.010, 0.045, 0.022, 0.026, 0.022, 0.080],
        [0.045, 0.065, 0.115, 0.225, 0.170, 0.015, 0.100, 0.035, 0.025, 0.090, 0.022, 0.020, 0.020, 0.053],
        [0.150, 0.175, 0.095, 0.205, 0.130, 0.008, 0.010, 0.005, 0.055, 0.060, 0.010, 0.010, 0.035, 0.052],
        [0.290, 0.170, 0.045, 0.225, 0.090, 0.005, 0.004, 0.003, 0.055, 0.030, 0.004, 0.004, 0.030, 0.045],
    ]
)
"""Share of each habit below 100,000 dollars, below 300,000 and so on; the last row is 2 million and more."""


def heap(price: Floats, random: np.random.Generator) -> Floats:
    """Whole-dollar prices of shape (n,), each ended by a habit of its band; never moved by more than half a step."""
    running = np.cumsum(SHARES, axis=1)
    running /= running[:, -1:]
    band = np.searchsorted(BANDS, price, side="right")
    habit = (random.random(price.size)[:, None] >= running[band]).sum(axis=1)
    step = np.array([first for first, _ in HABITS], dtype=np.float64)[habit]
    end = np.array([second for _, second in HABITS], dtype=np.float64)[habit]
    heaped: Floats = np.maximum(np.round((price - end) / step) * step + end, np.round(price * 0.5))
    return np.maximum(heaped, 1.0)
