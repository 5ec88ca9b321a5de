"""The synthetic feed: properties, re-listings and defects, cut by the documented rule into batches of the documented sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ct_data_source.columns import COLUMNS, FOR_SALE, SOLD
from ct_data_source.partition import BATCH_ROWS, batch_rows
from ct_data_source.synthetic.defects import anchor, spoil
from ct_data_source.synthetic.market import Market, Rows
from ct_data_source.synthetic.relistings import with_relistings
from ct_data_source.synthetic.states import STATES

Integers = npt.NDArray[np.int64]

GENERATOR_VERSION = 4
"""Part of the name of rendered batches: raise it with every change of what the generator makes."""
FIRST_STREET, LAST_STREET = 43, 2_001_347
SURPLUS = 1.04


def batches(seed: int, scale: float) -> Iterator[pa.Table]:
    """The six batches of ``seed`` at ``scale`` percent, tables with the wire's columns; the same bytes at every call."""
    market = Market(seed)
    random = np.random.default_rng([seed, 3])
    wanted = batch_rows(scale)
    kept = _filled(market, wanted, random)
    for number, rows in enumerate(kept):
        anchor(rows, number, scale)
        yield _table(market, _ordered(market, rows))


def _filled(market: Market, wanted: tuple[int, ...], random: np.random.Generator) -> list[Rows]:
    """Draw properties until every batch has its rows; what is too many of a batch is left out."""
    streets = random.permutation(np.arange(FIRST_STREET, LAST_STREET + 1))
    parts: list[list[Rows]] = [[] for _ in BATCH_ROWS]
    have = np.zeros(len(wanted), dtype=np.int64)
    used, total = 0, int(sum(wanted) * SURPLUS) + 2_000
    while np.any(have < wanted):
        if used + total > streets.size:
            raise RuntimeError("the generator has run out of addresses before the batches were full; report this with the seed")
        fresh = market.draw(total, streets[used : used + total], random)
        used += total
        rows = with_relistings(market, spoil(fresh, random), random)
        number = rows.batch()
        for batch in range(len(wanted)):
            chosen = np.flatnonzero(number == batch)[: wanted[batch] - have[batch]]
            if chosen.size:
                parts[batch].append(rows.take(chosen))
                have[batch] += chosen.size
        missing = np.max((np.array(wanted) - have) / np.maximum(have, 1))
        total = int(min(max(used * missing * 1.1, 2_000), 300_000))
    return [Rows.joined(part) for part in parts]


def _ordered(market: Market, rows: Rows) -> Rows:
    """For sale before sold, and within both by postal prefix, as the original file runs through the country."""
    return rows.take(np.lexsort((market.places.prefix[rows.place], rows.sold)))


def _table(market: Market, rows: Rows) -> pa.Table:
    places = market.places
    numbers = {
        "brokered_by": rows.broker,
        "price": rows.price,
        "bed": rows.bed,
        "bath": rows.bath,
        "acre_lot": rows.acre_lot,
        "street": rows.street,
        "zip_code": places.zip_code[rows.place],
        "house_size": rows.house_size,
    }
    texts = {
        "status": (rows.sold.astype(np.int32), (FOR_SALE, SOLD)),
        "city": (places.city[rows.place].astype(np.int32), places.city_names),
        "state": (rows.state.astype(np.int32), tuple(state.name for state in STATES)),
        "prev_sold_date": (rows.day.astype(np.int32), market.calendar.texts),
    }
    columns = {name: pa.array(values.astype(np.float64)) for name, values in numbers.items()}
    columns |= {name: pa.DictionaryArray.from_arrays(codes, list(levels)) for name, (codes, levels) in texts.items()}
    return pa.table({name: columns[name] for name in COLUMNS})
