"""The rule that cuts complete listings into the six batches, the documented batch sizes and the order inside a batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ct_data_source.columns import FOR_SALE, SOLD

BATCH_ROWS = (73_784, 94_551, 230_366, 4_055, 320_696, 361_457)
"""Rows of batches 0 to 5 of the class API, 1,084,909 in all."""

UNASSIGNED = -1
SEPARATE_STATE = "Massachusetts"
MIDDLE_PRICE = 300_000
HIGH_PRICE = 500_000
LARGE_HOUSE = 1_500

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]
Batches = npt.NDArray[np.int8]


def assign(price: Floats, state: Texts, status: Texts, house_size: Floats) -> Batches:
    """The batch of every listing, or ``UNASSIGNED``; all arguments have shape (n,), price in dollars, size in square feet.

    Above 500,000 dollars batch 5, above 300,000 batch 4, then Massachusetts 3, sold 2, for sale 0 from 1,500 square
    feet on and 1 below. A cheap listing of any other status (``ready_to_build``) belongs to no batch.
    """
    return assign_flags(price, state == SEPARATE_STATE, status == SOLD, status == FOR_SALE, house_size)


def assign_flags(
    price: Floats,
    separate: npt.NDArray[np.bool_],
    sold: npt.NDArray[np.bool_],
    for_sale: npt.NDArray[np.bool_],
    house_size: Floats,
) -> Batches:
    """The same rule on flags of shape (n,): ``separate`` marks Massachusetts."""
    batch = np.full(price.shape, UNASSIGNED, dtype=np.int8)
    batch[for_sale & (house_size < LARGE_HOUSE)] = 1
    batch[for_sale & (house_size >= LARGE_HOUSE)] = 0
    batch[sold] = 2
    batch[separate] = 3
    batch[price > MIDDLE_PRICE] = 4
    batch[price > HIGH_PRICE] = 5
    return batch


def scaled(rows: int, scale: float) -> int:
    """How many of ``rows`` a scale of ``scale`` percent keeps: rounded, at least one of a batch that is not empty."""
    return min(rows, max(1, round(rows * scale / 100)))


def batch_rows(scale: float) -> tuple[int, ...]:
    """The sizes of the six synthetic batches at ``scale`` percent."""
    return tuple(scaled(rows, scale) for rows in BATCH_ROWS)
