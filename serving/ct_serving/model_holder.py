"""The model that answers now: one immutable value, replaced in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_serving.domain import Domain
from ct_serving.schemas import FIELDS, Property
from ct_serving.usual import Values, values_of

NUMBERS = ("bed", "bath", "acre_lot", "house_size", "brokered_by")
TEXTS = ("status", "city", "state", "zip_code")
DATES = ("prev_sold_date",)
OUTPUTS = ("price", "price_low", "price_high")

Prices = npt.NDArray[np.float64]
"""Dollars, shape (rows, 3): price, low and high end of the interval."""


class Predictor(Protocol):
    """What a loaded MLflow pyfunc model offers."""

    def predict(self, data: pd.DataFrame) -> Any:
        """A table with the columns of OUTPUTS, a row for each row of ``data``."""


class BadAnswerError(Exception):
    """A model answered with something that is no table of prices."""


@dataclass(frozen=True)
class LoadedModel:
    """A model version that is loaded and warmed up. A request takes it once and keeps it to its end."""

    name: str
    version: str
    alias: str
    run_id: str | None
    predictor: Predictor
    loaded_at: datetime
    domain: Domain = field(default_factory=Domain)
    inputs: Sequence[dict[str, Any]] = ()
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    predict_rows: Callable[[Sequence[Values]], Any] | None = None
    """The model's own way without a table, if it has one and it gives the same prices; see `registry`."""

    def identity(self) -> dict[str, str | None]:
        """The ``ModelIdentity`` of this version."""
        return {"name": self.name, "version": self.version, "alias": self.alias, "run_id": self.run_id}

    def predict(self, rows: Sequence[Property]) -> Prices:
        """``price`` of properties."""
        return self.price([values_of(row) for row in rows])

    def price(self, rows: Sequence[Values]) -> Prices:
        """Prices of rows.

        Raises BadAnswerError if the model's answer is not finite, positive and ordered, and whatever the model raises.
        """
        answer = self.predict_rows(rows) if self.predict_rows is not None else self.by_table(rows)
        values: Prices = np.asarray(answer, dtype=np.float64)
        if values.shape != (len(rows), len(OUTPUTS)):
            raise BadAnswerError(f"the model gave {values.shape[0]} prices for {len(rows)} rows")
        price, low, high = values.T
        # A comparison with NaN is false.
        if not ((low > 0) & (low <= price) & (price <= high) & (high < np.inf)).all():
            if np.isfinite(values).all() and (values > 0).all():
                raise BadAnswerError("the model gave a price outside of its own interval")
            raise BadAnswerError("the model gave a price that is not a positive number")
        return values

    def by_table(self, rows: Sequence[Values]) -> Prices:
        """The answer of the model's standard interface, unchecked."""
        answer = self.predictor.predict(table(rows))
        try:
            return np.column_stack([np.asarray(answer[name], dtype=np.float64) for name in OUTPUTS])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadAnswerError(f"the model's answer has not the columns {', '.join(OUTPUTS)}: {error!r}") from error


def table(rows: Sequence[Values]) -> pd.DataFrame:
    """The rows as the model's signature wants them: numbers as float64, texts and dates as strings, NaN where unknown."""
    columns: dict[str, Any] = {}
    for name, values in zip(FIELDS, zip(*rows, strict=True), strict=True):
        columns[name] = np.array(values, dtype=np.float64) if name in NUMBERS else pd.array(list(values), dtype="str")
    return pd.DataFrame(columns, copy=False)


def frame(rows: Sequence[Property]) -> pd.DataFrame:
    """``table`` of properties."""
    return table([values_of(row) for row in rows])


class ModelHolder:
    """Holds the model that answers. Reading and replacing it are single steps, safe from any thread."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None

    @property
    def current(self) -> LoadedModel | None:
        """The model that answers, or None before the first."""
        return self._model

    def replace(self, model: LoadedModel | None) -> None:
        """From now on new requests are answered by ``model``; those in flight end with theirs."""
        self._model = model
