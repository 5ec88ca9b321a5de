"""The same home twice: sold and on sale under one address, mostly at one price, and homes put on sale again."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ct_data_source.synthetic.heaping import heap
from ct_data_source.synthetic.market import Market, Rows

PAIR_SHARE = 0.070
"""Share of properties listed under both statuses: about 71,000 of the 1,014,000 of the full stream."""
PAIR_EQUAL_PRICE = 0.95
REPEAT_SHARE = 0.016
"""Share of the homes on sale that are on sale a second time."""
REPEAT_EQUAL_PRICE = 0.32
SAME_BROKER = 0.35


def with_relistings(market: Market, rows: Rows, random: np.random.Generator) -> Rows:
    """``rows`` and, right behind each chosen row, its second listing: same address and home, broker and date its own."""
    chance = random.random(rows.price.size)
    pair = chance < PAIR_SHARE
    repeat = ~rows.sold & (chance > 1 - REPEAT_SHARE)
    chosen = np.flatnonzero(pair | repeat)
    second = rows.take(chosen)
    flipped = pair[chosen]
    second.sold = np.where(flipped, ~second.sold, second.sold)
    second.day = np.where(flipped, market.calendar.draw(second.sold, random), second.day)
    other = random.random(chosen.size) >= SAME_BROKER
    # A repeat under the same status needs another broker, or it would be the same row twice.
    second.broker = np.where(other | ~flipped, market.brokers.draw(second.place, random), second.broker)
    equal = random.random(chosen.size) < np.where(flipped, PAIR_EQUAL_PRICE, REPEAT_EQUAL_PRICE)
    moved = heap(np.maximum(second.price * np.exp(0.09 * random.standard_t(4, chosen.size) / sqrt(2)), 1), random)
    second.price = np.where(equal | (second.price < 10_000), second.price, moved)
    position = np.concatenate([np.arange(rows.price.size) * 2, chosen * 2 + 1])
    return Rows.joined([rows, second]).take(np.argsort(position, kind="stable"))
