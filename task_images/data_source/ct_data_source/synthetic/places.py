"""Where homes are: zip codes with their cities, their share of listings and what the place does to a price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ct_data_source.synthetic.names import town_names
from ct_data_source.synthetic.states import STATES, State, prefixes_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ZIPS_PER_SEEN = 1.2
"""The state table counts zips in a sample that also holds incomplete listings; the stream needs about as many again."""
CITIES_PER_SEEN = 1.2
ZIP_SHAPE = 0.8
HOME_VARIANCE = 0.27
"""Variance of the log price that homes explain at equal places; the rest of a state's spread is its places."""
PREFIX_PART = 0.55
MAJOR_DENSITY = 0.75
"""Zips of a large city per zip that its share of the listings would give: city zips are busier."""
LOT_SPREAD = 0.4


@dataclass(frozen=True)
class Places:
    """Arrays over places, a place being one (zip, city) pair, shape (p,), sorted by state of ``STATES`` and by zip.

    ``effect`` is added to a log price, ``wealth`` is the same in standard units, ``lot`` is added to a log lot,
    ``cumulative`` is the running sum of the share of listings, ``city`` indexes ``city_names``.
    """

    state: Integers
    zip_code: Integers
    prefix: Integers
    city: Integers
    effect: Floats
    wealth: Floats
    lot: Floats
    cumulative: Floats
    city_names: tuple[str, ...]

    def draw(self, rows: int, random: np.random.Generator) -> Integers:
        """``rows`` places, each with the probability of its share."""
        return draw(self.cumulative, rows, random)


def draw(cumulative: Floats, rows: int, random: np.random.Generator) -> Integers:
    """``rows`` indices with probabilities that are proportional to the steps of ``cumulative``."""
    found: Integers = np.searchsorted(cumulative, random.random(rows) * cumulative[-1], side="right").astype(np.int64)
    return np.minimum(found, cumulative.size - 1)


@dataclass(frozen=True)
class _Zips:
    code: Integers
    prefix: Integers
    weight: Floats
    effect: Floats
    wealth: Floats
    lot: Floats


def build(random: np.random.Generator) -> Places:
    """All places of the market; the same for every scale, so that a small stream is a sample of the large one."""
    names, common = town_names(random)
    register: dict[str, int] = {}
    columns: list[tuple[Integers, ...]] = []
    measures: list[tuple[Floats, ...]] = []
    for position, state in enumerate(STATES):
        zips = _zips_of(state, random)
        zip_index, labels, share = _towns(state, zips, _state_names(state, names, common, random), random)
        city = np.array([register.setdefault(label, len(register)) for label in labels], dtype=np.int64)
        columns.append((np.full(city.size, position), zips.code[zip_index], zips.prefix[zip_index], city))
        weight = zips.weight[zip_index] * share
        weight *= state.weight / weight.sum()
        measures.append((zips.effect[zip_index], zips.wealth[zip_index], zips.lot[zip_index], weight))
    state_of, code, prefix, city_of = (np.concatenate(parts).astype(np.int64) for parts in zip(*columns, strict=True))
    effect, wealth, lot, weights = (np.concatenate(parts) for parts in zip(*measures, strict=True))
    return Places(state_of, code, prefix, city_of, effect, wealth, lot, np.cumsum(weights), tuple(register))


def _zips_of(state: State, random: np.random.Generator) -> _Zips:
    prefixes = np.array(prefixes_of(state))
    wanted = min(round(state.zips * ZIPS_PER_SEEN), 95 * prefixes.size)
    size = random.gamma(1.5, size=prefixes.size) + 0.2
    counts = np.clip(np.round(size / size.sum() * wanted).astype(int), 1, 95)
    suffixes = [np.sort(random.choice(np.arange(1, 100), count, replace=False)) for count in counts]
    prefix = np.repeat(prefixes, counts)
    weight = random.gamma(ZIP_SHAPE, size=prefix.size) + 0.01
    spread = np.sqrt(max(state.spread**2 - HOME_VARIANCE, 0.05))
    # Student's t gives a few exceptionally dear and cheap zips, as there are; both parts have unit variance before scaling.
    by_prefix = np.repeat(random.standard_normal(prefixes.size), counts)
    by_zip = np.clip(random.standard_t(6, prefix.size) / np.sqrt(1.5), -3.0, 5.0)
    wealth = np.sqrt(PREFIX_PART) * by_prefix + np.sqrt(1 - PREFIX_PART) * by_zip
    wealth -= np.average(wealth, weights=weight)
    lot = LOT_SPREAD * random.standard_normal(prefix.size)
    return _Zips(prefix * 100 + np.concatenate(suffixes), prefix, weight, spread * wealth, wealth, lot)


def _state_names(state: State, names: list[str], common: int, random: np.random.Generator) -> list[str]:
    """Names for the towns of one state: some that other states have too, then composed ones."""
    taken = {name for name, _, _ in state.majors}
    shared = random.permutation(common)[: min(common, state.cities // 10 + 1)]
    wanted = round(state.cities * CITIES_PER_SEEN) + 2
    own = common + random.choice(len(names) - common, wanted, replace=False)
    return [names[index] for index in [*shared, *own] if names[index] not in taken][:wanted]


def _towns(state: State, zips: _Zips, names: list[str], random: np.random.Generator) -> tuple[Integers, list[str], Floats]:
    """Pairs of a zip and a city: the zip's index, the city's name and the pair's share of the zip's listings."""
    main: list[str] = [""] * zips.code.size
    _seat_majors(state, zips, main)
    free = [index for index, name in enumerate(main) if not name]
    per_city = max(len(free) / max(len(names) * 0.62, 1), 1.0)
    # Larger towns cover several neighbouring zips.
    position, used = 0, 0
    while position < len(free):
        run = int(random.geometric(1 / per_city))
        for index in free[position : position + run]:
            main[index] = names[used % len(names)]
        position, used = position + run, used + 1
    spare = names[used:]
    pairs: list[tuple[int, str, float]] = []
    extras = random.poisson(len(spare) / max(len(main), 1), len(main))
    taken = 0
    for index, name in enumerate(main):
        second = spare[taken : taken + extras[index]]
        taken += len(second)
        pairs.append((index, name, 1.0 if not second else 0.75))
        pairs += [(index, town, 0.25 / len(second)) for town in second]
    order, labels, share = zip(*pairs, strict=True)
    return np.array(order, dtype=np.int64), list(labels), np.array(share)


def _seat_majors(state: State, zips: _Zips, main: list[str]) -> None:
    """Give each large city zips from its prefix on, and scale their weights so that it has its share of the state."""
    total = zips.weight.sum()
    for name, prefix, share in state.majors:
        first = int(np.searchsorted(zips.prefix, prefix))
        free = [index for index in range(first, len(main)) if not main[index]]
        for index in free[: max(1, round(share * len(main) * MAJOR_DENSITY))]:
            main[index] = name
    for name, _, share in [*state.majors, ("", 0, 1 - sum(share for _, _, share in state.majors))]:
        mine = np.array([label == name for label in main])
        if mine.any():
            zips.weight[mine] *= share * total / zips.weight[mine].sum()
