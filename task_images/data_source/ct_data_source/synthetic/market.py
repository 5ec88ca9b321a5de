"""One draw of properties with their listings: columns as arrays, prices from place, home, age since last sale and status."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt

import numpy as np
import numpy.typing as npt

from ct_data_source.partition import SEPARATE_STATE, assign_flags
from ct_data_source.synthetic import places as geography
from ct_data_source.synthetic.brokers import Brokers
from ct_data_source.synthetic.dates import Calendar
from ct_data_source.synthetic.heaping import heap
from ct_data_source.synthetic.homes import house_sizes, lots, rooms
from ct_data_source.synthetic.states import STATES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MEAN_LOG_SIZE = 7.515
SIZE_EFFECT = 0.62
LUXURY_SIZE_EFFECT = 0.15
LOT_EFFECT = 0.139
BED_EFFECT = -0.009
BATH_EFFECT = 0.11
SOLD_EFFECT = -0.073
AGE_EFFECT = -0.005
"""Per year since the last sale of a home on sale: the longer ago, the less has been renovated."""
SEASON_EFFECT = 0.03
"""Per month of the recorded sales: prices rose during them."""
RESIDUAL = 0.26
BARGAIN_STRETCH, SURPRISE_SHRINK = 1.15, 0.9
"""What is left over leans to cheap homes: measured skew is negative."""
LUXURY_LEVEL = 14.0
LUXURY_STRETCH = 0.15
SEPARATE = next(position for position, state in enumerate(STATES) if state.name == SEPARATE_STATE)


@dataclass
class Rows:
    """Listings as arrays of shape (n,): ``place`` and ``day`` are indices into the places and the calendar."""

    place: Integers
    state: Integers
    street: Integers
    broker: Integers
    sold: Flags
    day: Integers
    bed: Floats
    bath: Floats
    acre_lot: Floats
    house_size: Floats
    price: Floats

    def take(self, index: Integers | Flags) -> Rows:
        """The rows at ``index``, as a copy."""
        return Rows(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def batch(self) -> npt.NDArray[np.int8]:
        """The batch of each row by the documented rule."""
        return assign_flags(self.price, self.state == SEPARATE, self.sold, ~self.sold, self.house_size)

    @staticmethod
    def joined(parts: list[Rows]) -> Rows:
        """All rows of ``parts``, in that order."""
        return Rows(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)})


class Market:
    """The places, brokers and calendar of one seed."""

    def __init__(self, seed: int) -> None:
        """Draws the geography; its stream of random numbers is apart from that of the listings."""
        self.places = geography.build(np.random.default_rng([seed, 1]))
        self.brokers = Brokers(self.places, np.random.default_rng([seed, 2]))
        self.calendar = Calendar()
        self._level = np.array([state.level for state in STATES])
        self._sold = np.array([state.sold for state in STATES])

    def draw(self, rows: int, street: Integers, random: np.random.Generator) -> Rows:
        """``rows`` properties with one listing each; ``street`` holds their address codes, shape (rows,)."""
        place = self.places.draw(rows, random)
        state = self.places.state[place]
        bed, bath = rooms(self.places.wealth[place], random)
        size = house_sizes(place, self.places, bed, bath, random)
        acres = lots(place, self.places, random)
        worth = (
            self._level[state]
            + self.places.effect[place]
            + SIZE_EFFECT * (np.log(size) - MEAN_LOG_SIZE)
            + LUXURY_SIZE_EFFECT * np.maximum(np.log(size) - 8.0, 0) ** 2
            + LOT_EFFECT * (np.log1p(np.minimum(acres, 200)) - 0.377)
            + BED_EFFECT * (np.minimum(bed, 12) - 3.352)
            + BATH_EFFECT * (np.minimum(bath, 10) - 2.507)
        )
        # The dearest homes are rarely among the recorded sales.
        sold = random.random(rows) < self._sold[state] * np.clip(1 - 0.30 * (worth - 14.2), 0.35, 1.0)
        day = self.calendar.draw(sold, random)
        rest = RESIDUAL * random.standard_t(4, rows) / sqrt(2)
        worth += self.timing(sold, day) + rest * np.where(rest < 0, BARGAIN_STRETCH, SURPRISE_SHRINK)
        worth += LUXURY_STRETCH * np.maximum(worth - LUXURY_LEVEL, 0)
        price = heap(np.clip(np.exp(worth), 10_000, 450e6), random)
        broker = self.brokers.draw(place, random)
        return Rows(place, state, street, broker, sold, day, bed, bath, acres, size, price)

    def timing(self, sold: Flags, day: Integers) -> Floats:
        """What status and date do to the log price, shape (n,), zero on average."""
        years = self.calendar.years_since(day)
        season = SEASON_EFFECT * (2.8 - np.minimum(years * 12, 7))
        age = AGE_EFFECT * (np.minimum(years, 40) - 9.5)
        effect: Floats = np.where(sold, season, age) + SOLD_EFFECT * (sold - 0.562)
        return effect
