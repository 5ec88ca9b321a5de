"""The documented defects of the listings, at their measured rates, and the documented extreme prices of each batch."""

from __future__ import annotations

import numpy as np

from ct_data_source.partition import BATCH_ROWS
from ct_data_source.synthetic.market import SEPARATE, Rows

TOTAL = sum(BATCH_ROWS)
MIDDLE_FLOOR, HIGH_FLOOR, HIGHEST = 300_023.0, 500_007.0, 515_000_000.0
SEPARATE_FLOOR = 10_000.0
FLOORS = (1.0, 1.0, 1.0, SEPARATE_FLOOR, MIDDLE_FLOOR, HIGH_FLOOR)
"""The lowest price of each batch, in dollars."""
FULL_EXTREMES_FROM = 50.0
"""Percent: a smaller sample would more likely than not lack the one dearest listing, which alone moves its mean by much."""
NO_LOT = 100_000.0
"""Stands for an unknown lot."""


def spoil(rows: Rows, random: np.random.Generator) -> Rows:
    """``rows`` with mistakes of people and programs; the rates are counts in the full stream over its rows."""

    def pick(count: float, among: np.ndarray | None = None) -> np.ndarray:
        hit = random.random(rows.price.size) < count / TOTAL
        return np.flatnonzero(hit if among is None else hit & among)

    elsewhere = rows.state != SEPARATE
    ordinary = elsewhere & (rows.price < 3e6)
    one = pick(250, ordinary & ~rows.sold)
    rows.price[one] = 1.0
    rows.price[pick(20, ordinary & rows.sold)] = 1.0
    cents = pick(240, ordinary)
    rows.price[cents] = np.round(np.exp(random.uniform(np.log(700), np.log(9_999), cents.size)))
    many = pick(220)
    rows.bed[many] = np.round(20 + random.gamma(1.0, 14, many.size)).clip(21, 99)
    many = pick(1_200)
    rows.bed[many] = np.maximum(rows.bed[many], random.integers(11, 21, many.size))
    many = pick(200)
    rows.bath[many] = np.round(20 + random.gamma(1.0, 16, many.size)).clip(21, 198)
    many = pick(600)
    rows.bath[many] = np.maximum(rows.bath[many], random.integers(11, 21, many.size))
    rows.acre_lot[pick(67)] = NO_LOT
    rows.acre_lot[pick(1_900)] = 0.0
    large = pick(400)
    rows.acre_lot[large] = np.round(np.exp(random.uniform(np.log(1_000), np.log(60_000), large.size)), 2)
    huge = pick(245)
    rows.house_size[huge] = np.round(np.exp(random.uniform(np.log(20_001), np.log(684_327), huge.size)))
    rows.house_size[pick(2)] = 1e9
    cabins = pick(400)
    rows.house_size[cabins] = random.integers(250, 500, cabins.size)
    tiny = pick(50)
    rows.house_size[tiny] = random.integers(100, 200, tiny.size)
    return rows


def anchor(rows: Rows, batch: int, scale: float) -> None:
    """Set the lowest price of a batch to the documented one, in place, and from half scale on the highest of all.

    The rule of the partition stays true: the lowest price of each batch lies within its band.
    """
    floor = FLOORS[batch]
    np.maximum(rows.price, floor, out=rows.price)
    if not np.any(rows.price == floor):
        rows.price[np.argmin(rows.price)] = floor
    if batch == len(FLOORS) - 1 and scale >= FULL_EXTREMES_FROM:
        rows.price[np.argmax(rows.price)] = HIGHEST
