"""Dates of sales: for a listing on sale the earlier sale, for a sold one the sale itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ct_data_source.synthetic.places import draw

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FIRST_DAY, LAST_DAY = np.datetime64("1905-01-01"), np.datetime64("2023-02-01")
"""The last one is not part of the calendar."""
SALES_BEGIN, SALES_END = np.datetime64("2021-10-18"), np.datetime64("2022-05-06")
LISTINGS_END = np.datetime64("2022-06-01")
"""From here on hardly any home on sale has an earlier sale on record."""

WEEKDAYS = (0.187, 0.178, 0.175, 0.178, 0.278, 0.003, 0.001)
EARLIER_SALES = (
    (1979, 0.009), (1989, 0.024), (1999, 0.084), (2004, 0.090), (2009, 0.126), (2014, 0.130), (2017, 0.154),
    (2018, 0.068), (2019, 0.073), (2020, 0.071), (2021, 0.100), (2022, 0.071), (2023, 0.001),
)  # fmt: skip
"""Last year of a period and its share of the earlier sales."""
SALES_BY_MONTH = {
    (2021, 10): 501, (2021, 11): 3666, (2021, 12): 4325, (2022, 1): 3249,
    (2022, 2): 3531, (2022, 3): 5552, (2022, 4): 6163, (2022, 5): 287,
}  # fmt: skip


class Calendar:
    """All days from ``FIRST_DAY`` on as numbers, with the running shares of both kinds of sale."""

    def __init__(self) -> None:
        days = np.arange(FIRST_DAY, LAST_DAY, dtype="datetime64[D]")
        self.texts: tuple[str, ...] = tuple(np.datetime_as_string(days).tolist())
        """The ISO text of each day number."""
        year = days.astype("datetime64[Y]").astype(np.int64) + 1970
        month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
        # Day 0 of NumPy's calendar was a Thursday.
        habit = np.array(WEEKDAYS)[(days.astype(np.int64) + 3) % 7]
        earlier, begin = np.zeros(days.size), 0
        for last, share in EARLIER_SALES:
            weight = habit * ((year > begin) & (year <= last))
            if begin == 0:
                # Few records are older than 1979, and the older the fewer.
                weight *= np.exp((year - last) / 6.0)
            if last == 2022:
                weight *= np.where(days < LISTINGS_END, 1.0, 0.03)
            earlier += weight / weight.sum() * share
            begin = last
        window = (days >= SALES_BEGIN) & (days <= SALES_END)
        sale = np.zeros(days.size)
        for (in_year, in_month), count in SALES_BY_MONTH.items():
            weight = habit * (window & (year == in_year) & (month == in_month))
            sale += weight / weight.sum() * count
        self._earlier, self._sale = np.cumsum(earlier), np.cumsum(sale)
        self._window_end = int((SALES_END - FIRST_DAY).astype(np.int64))

    def draw(self, sold: npt.NDArray[np.bool_], random: np.random.Generator) -> Integers:
        """Day numbers of shape (n,): the sale of sold listings, the sale before of the others."""
        day = draw(self._earlier, sold.size, random)
        day[sold] = draw(self._sale, int(sold.sum()), random)
        return day

    def years_since(self, day: Integers) -> Floats:
        """Years from each day number to the end of the recorded sales; never negative."""
        years: Floats = np.maximum(self._window_end - day, 0) / 365.25
        return years
