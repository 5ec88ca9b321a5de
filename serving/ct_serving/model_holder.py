"""The model that answers now: one immutable value, replaced in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ct_serving.domain import Domain
from ct_serving.schemas import Property

NUMBERS = ("bed", "bath", "acre_lot", "house_size", "brokered_by")
TEXTS = ("status", "city", "state", "zip_code")
DATES = ("prev_sold_date",)
OUTPUTS = ("price", "price_low", "price_high")


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

    def identity(self) -> dict[str, str | None]:
        """The ``ModelIdentity`` of this version."""
        return {"name": self.name, "version": self.version, "alias": self.alias, "run_id": self.run_id}

    def predict(self, rows: Sequence[Property]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Prices in dollars, shape (rows, 3): price, low and high end of the interval.

        Raises BadAnswerError if the model's answer is not finite, positive and ordered, and whatever the model raises.
        """
        answer = self.predictor.predict(frame(rows))
        try:
            values = np.column_stack([np.asarray(answer[name], dtype=np.float64) for name in OUTPUTS])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadAnswerError(f"the model's answer has not the columns {', '.join(OUTPUTS)}: {error!r}") from error
        if values.shape != (len(rows), len(OUTPUTS)):
            raise BadAnswerError(f"the model gave {values.shape[0]} prices for {len(rows)} rows")
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise BadAnswerError("the model gave a price that is not a positive number")
        if not ((values[:, 1] <= values[:, 0]) & (values[:, 0] <= values[:, 2])).all():
            raise BadAnswerError("the model gave a price outside of its own interval")
        return values


def frame(rows: Sequence[Property]) -> pd.DataFrame:
    """The rows as the model's signature wants them: numbers as float64, texts and dates as strings, NaN where unknown."""
    columns: dict[str, Any] = {}
    for name in TEXTS:
        columns[name] = pd.array([getattr(row, name) for row in rows], dtype="str")
    for name in DATES:
        dates = [getattr(row, name) for row in rows]
        columns[name] = pd.array([None if day is None else day.isoformat() for day in dates], dtype="str")
    for name in NUMBERS:
        values = [getattr(row, name) for row in rows]
        columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return pd.DataFrame(columns, copy=False)


class ModelHolder:
    """Holds the model that answers. Reading and replacing it are single steps, safe from any thread."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None

    @property
    def current(self) -> LoadedModel | None:
        """The model that answers, or None before the first."""
        return self._model

    def replace(self, model: LoadedModel) -> None:
        """From now on new requests are answered by ``model``; those in flight end with theirs."""
        self._model = model
