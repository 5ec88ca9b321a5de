"""Who lists: a few nationwide brokers with very many listings, and many local ones with few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ct_data_source.synthetic.places import Places, draw

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BROKERS = 110_139
"""Codes 0 to 110,138."""
NATIONAL = 400
NATIONAL_SHARE = 0.2
NATIONAL_POWER = 0.95
LOCAL_POWER = 1.25


class Brokers:
    """Brokers by postal prefix; each local broker works within one, the nationwide ones anywhere."""

    def __init__(self, places: Places, random: np.random.Generator) -> None:
        """Every prefix gets brokers by its share of listings, their own shares falling by a power of their rank."""
        self._codes = random.permutation(BROKERS)
        self._national = np.cumsum(np.arange(1, NATIONAL + 1) ** -NATIONAL_POWER)
        prefixes, group = np.unique(places.prefix, return_inverse=True)
        weight = np.bincount(group, weights=np.diff(places.cumulative, prepend=0.0))
        local = BROKERS - NATIONAL
        count = np.maximum(1, np.floor(weight / weight.sum() * (local - prefixes.size))).astype(np.int64)
        shares = [np.arange(3, 3 + size) ** -LOCAL_POWER for size in count.tolist()]
        self._local = np.cumsum(np.concatenate([share / share.sum() for share in shares]))
        self._end = np.cumsum(count)
        self._group_of_place = group

    def draw(self, place: Integers, random: np.random.Generator) -> Integers:
        """The broker code of each listing, shape (n,)."""
        group = self._group_of_place[place]
        # Every prefix spans exactly one unit of the running sum.
        index = np.searchsorted(self._local, group + random.random(place.size), side="right")
        index = np.clip(index, self._end[group] - np.diff(self._end, prepend=0)[group], self._end[group] - 1) + NATIONAL
        anywhere = random.random(place.size) < NATIONAL_SHARE
        index[anywhere] = draw(self._national, int(anywhere.sum()), random)
        codes: Integers = self._codes[index]
        return codes
