"""A model's answers on rows of CLEAN, and the areas by which errors belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from house_prices.model import RAW_COLUMNS, Floats, numeric

CHUNK_ROWS = 200_000


@dataclass(frozen=True)
class Scored:
    """Prices and answers of (n,) rows, in dollars, with their logarithmic errors."""

    price: Floats
    answers: pd.DataFrame

    @property
    def log_error(self) -> Floats:
        """log(answer) - log(price), shape (n,)."""
        answers: Floats = self.answers["price"].to_numpy(dtype=np.float64)
        difference: Floats = np.log(answers) - np.log(self.price)
        return difference

    @property
    def error(self) -> Floats:
        """Answer - price in dollars, shape (n,)."""
        return self.answers["price"].to_numpy(dtype=np.float64) - self.price

    @property
    def inside(self) -> Floats:
        """1 where the price lies inside the 90 % interval, else 0, shape (n,)."""
        low, high = self.answers["price_low"].to_numpy(), self.answers["price_high"].to_numpy()
        return ((self.price >= low) & (self.price <= high)).astype(np.float64)

    @property
    def sound(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is a finite positive price inside its own interval, shape (n,)."""
        price, low, high = (self.answers[name].to_numpy(dtype=np.float64) for name in ("price", "price_low", "price_high"))
        with np.errstate(invalid="ignore"):
            inside = np.isfinite(price) & (price > 0) & (low <= price) & (price <= high)
        return np.asarray(inside, dtype=np.bool_)

    @property
    def unsound(self) -> int:
        """How many answers are not sound."""
        return int(np.count_nonzero(~self.sound))

    def take(self, rows: npt.NDArray[np.bool_]) -> Scored:
        """The same on some of the rows, given as a mask of shape (n,)."""
        return Scored(self.price[rows], self.answers[rows].reset_index(drop=True))


def model_input(frame: pd.DataFrame) -> pd.DataFrame:
    """The model's columns as a client sends them: doubles, texts, None for what is absent."""
    columns: dict[str, Any] = {}
    for name in RAW_COLUMNS:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
            column = column.where(column.notna(), None)
        columns[name] = column
    return pd.DataFrame(columns).reset_index(drop=True)


def score(model: Any, frame: pd.DataFrame) -> Scored:
    """Ask a model (an MLflow pyfunc) for the prices of (n,) rows of CLEAN."""
    parts = [model.predict(model_input(frame.iloc[i : i + CHUNK_ROWS])) for i in range(0, len(frame), CHUNK_ROWS)]
    columns = ["price", "price_low", "price_high"]
    answers = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns, dtype=np.float64)
    return Scored(numeric(frame, "price"), answers[columns])


def areas(frame: pd.DataFrame) -> npt.NDArray[np.object_]:
    """The zip code of each row, shape (n,): homes of one area err together."""
    labels: npt.NDArray[np.object_] = frame["zip_code"].astype(object).to_numpy()
    return labels


def baseline(train: pd.DataFrame, frame: pd.DataFrame) -> Floats:
    """Prices that anyone can compute by hand, shape (n,): the zip code's median price per square foot times the size.

    An unknown zip code takes the median of its state, an unknown state that of all, an unknown size the median price.
    """
    per_foot = numeric(train, "price") / numeric(train, "house_size")
    table = pd.DataFrame(
        {"zip": train["zip_code"].astype(str), "state": train["state"].astype(str), "value": per_foot}
    ).dropna()
    overall = float(table["value"].median())
    by_zip = frame["zip_code"].astype(str).map(table.groupby("zip")["value"].median())
    by_state = frame["state"].astype(str).map(table.groupby("state")["value"].median())
    rate = by_zip.astype(float).fillna(by_state.astype(float)).fillna(overall).to_numpy(dtype=np.float64)
    size = numeric(frame, "house_size")
    middle = float(np.median(numeric(train, "price")))
    return np.where(np.isfinite(size), rate * size, middle)
