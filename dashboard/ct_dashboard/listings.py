"""Cleaned listings as the pages show them: comparable homes, and prices by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_store.connection import connect

MOST_COMPARABLES = 5

LOG_PRICE_LOW, LOG_PRICE_HIGH, PRICE_BINS = 4.0, 7.0, 48
"""Prices are counted in this many bins of equal width in log10 dollars; what lies beyond is in the outermost bins."""


@dataclass(frozen=True)
class PriceBins:
    """How many listings of a batch lie in each of (PRICE_BINS,) bins of the price."""

    batch_id: int
    counts: Sequence[int]


def centre(number: int) -> float:
    """The price in the middle of a bin, dollars."""
    width = (LOG_PRICE_HIGH - LOG_PRICE_LOW) / PRICE_BINS
    return float(10 ** (LOG_PRICE_LOW + (number + 0.5) * width))


_TERMS = {
    # A quarter more or less size counts as one bedroom, one bathroom, or 2.7 times the lot.
    "house_size": "coalesce(abs(ln(nullif(house_size, 0) / %(house_size)s)) / 0.25, 1)",
    "bed": "coalesce(abs(bed - %(bed)s), 1)",
    "bath": "coalesce(abs(bath - %(bath)s), 1)",
    "acre_lot": "coalesce(abs(ln((acre_lot + 0.05) / (%(acre_lot)s + 0.05))), 1)",
    # Within the area, the same zip code and the same situation are a little nearer.
    "zip_code": "CASE WHEN zip_code = %(zip_code)s THEN 0 ELSE 0.5 END",
    "status": "CASE WHEN status = %(status)s THEN 0 ELSE 0.25 END",
}


def read_comparables(url: str, home: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The listings of the same zip area (three digits) that are most like ``home``, nearest first; none without a zip code.

    Of a home that was listed several times, the newest listing. Fields of ``home`` that are None count for nothing.
    Raises TryLaterError if PostgreSQL is away.
    """
    zip_code = str(home.get("zip_code") or "").strip().zfill(5)
    if not (zip_code.isdigit() and len(zip_code) == 5) or zip_code == "00000":
        return []
    values: dict[str, Any] = {name: home.get(name) for name in _TERMS} | {"zip_code": zip_code}
    terms = [term for name, term in _TERMS.items() if values[name] is not None and (name != "house_size" or values[name] > 0)]
    statement = f"""
        SELECT * FROM (
            SELECT DISTINCT ON (property_key) property_key, status, price, bed, bath, acre_lot, city, state, zip_code,
                   house_size, prev_sold_date, {" + ".join(terms)} AS distance
              FROM clean.listings WHERE zip_code BETWEEN %(first)s AND %(last)s
             ORDER BY property_key, batch_id DESC, row_number DESC
        ) AS newest
        ORDER BY distance, property_key LIMIT {MOST_COMPARABLES}
    """
    area = zip_code[:3]
    with connect("ct_dashboard", url) as connection:
        return connection.execute(statement.encode(), {**values, "first": f"{area}00", "last": f"{area}99"}).fetchall()


def read_price_bins(url: str, batch_ids: Sequence[int], *, splits: Sequence[str] = ()) -> list[PriceBins]:
    """Prices of these batches, in their order; of all rows or of those in ``splits``. Raises TryLaterError."""
    statement = f"""
        SELECT batch_id, least(greatest(width_bucket(log(price), {LOG_PRICE_LOW}, {LOG_PRICE_HIGH}, {PRICE_BINS}), 1),
                               {PRICE_BINS}) - 1 AS bin, count(*) AS rows
          FROM clean.listings WHERE batch_id = ANY(%s) {"AND split = ANY(%s)" if splits else ""} GROUP BY 1, 2
    """
    found: dict[int, list[int]] = {batch: [0] * PRICE_BINS for batch in batch_ids}
    values = [list(batch_ids), list(splits)] if splits else [list(batch_ids)]
    with connect("ct_dashboard", url) as connection:
        for row in connection.execute(statement.encode(), values).fetchall():
            found[row["batch_id"]][row["bin"]] = row["rows"]
    return [PriceBins(batch, counts) for batch, counts in found.items() if any(counts)]
