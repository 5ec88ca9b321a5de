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
        [0.000, 0.000, 0.000, 0.240, 0.165, 0.034, 0.180, 0.151, 0.014, 0.041, 0.014, 0.109, 0.026, 0.026],
        [0.000, 0.000, 0.033, 0.328, 0.113, 0.019, 0.197, 0.112, 0.012, 0.068, 0.017, 0.050, 0.015, 0.036],
        [0.000, 0.000, 0.084, 0.342, 0.094, 0.021, 0.142, 0.065, 0.020, 0.101, 0.020, 0.026, 0.016, 0.069],
        [0.000, 0.000, 0.164, 0.277, 0.092, 0.023, 0.097, 0.038, 0.053, 0.134, 0.024, 0.019, 0.013, 0.066],
        [0.013, 0.182, 0.205, 0.226, 0.114, 0.013, 0.009, 0.004, 0.092, 0.066, 0.019, 0.006, 0.008, 0.043],
        [0.112, 0.232, 0.133, 0.261, 0.113, 0.007, 0.001, 0.002, 0.074, 0.021, 0.016, 0.004, 0.004, 0.020],
    ]
)
"""Share of each habit below 100,000 dollars, below 300,000 and so on; the last row is 2 million and more.

Fitted by non-negative least squares to the shares of endings that public listings have.
"""


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
