"""Dates of sales: for a listing on sale the earlier sale, for a sold one the sale itself."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from ct_data_source.synthetic.places import draw

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FIRST_DAY = date(1905, 1, 1)
LAST_DAY = date(2023, 1, 31)
SALES_BEGIN = date(2021, 10, 18)
SALES_END = date(2022, 5, 6)

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


def _calendar() -> list[date]:
    return [FIRST_DAY + timedelta(days=day) for day in range((LAST_DAY - FIRST_DAY).days + 1)]


class Calendar:
    """All days from ``FIRST_DAY`` on as numbers, with the running shares of both kinds of sale."""

    def __init__(self) -> None:
        days = _calendar()
        self.texts = tuple(day.isoformat() for day in days)
        """The ISO text of each day number."""
        year = np.array([day.year for day in days])
        weekday = np.array(WEEKDAYS)[[day.weekday() for day in days]]
        earlier = np.zeros(len(days))
        begin = 0
        for last, share in EARLIER_SALES:
            period = (year > begin) & (year <= last)
            # Few records are older than 1979, and the older the fewer. In 2022 the listings end in spring.
            weight = weekday * (np.exp((year - 1979) / 6.0) if begin == 0 else 1.0)
            if last == 2022:
                weight = weight * np.array([1.0 if day < date(2022, 6, 1) else 0.03 for day in days])
            earlier[period] = weight[period] / weight[period].sum() * share
            begin = last
        month = np.array([SALES_BY_MONTH.get((day.year, day.month), 0) for day in days], dtype=np.float64)
        window = np.array([SALES_BEGIN <= day <= SALES_END for day in days])
        sale = weekday * window
        for key, count in SALES_BY_MONTH.items():
            this = np.array([(day.year, day.month) == key for day in days]) & window
            sale[this] *= count / sale[this].sum()
        sale[month == 0] = 0
        self._earlier, self._sale = np.cumsum(earlier), np.cumsum(sale)
        self._window_end = (SALES_END - FIRST_DAY).days

    def draw(self, sold: npt.NDArray[np.bool_], random: np.random.Generator) -> Integers:
        """Day numbers of shape (n,): the sale of sold listings, the sale before of the others."""
        day = draw(self._earlier, sold.size, random)
        day[sold] = draw(self._sale, int(sold.sum()), random)
        return day

    def years_since(self, day: Integers) -> Floats:
        """Years from each day number to the end of the recorded sales; never negative."""
        years: Floats = np.maximum(self._window_end - day, 0) / 365.25
        return years
