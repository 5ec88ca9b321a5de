"""Prices, and what they are made of."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ct_serving.schemas.limits import INTERVAL_LEVEL
from ct_serving.schemas.problems import RowError


class Interval(BaseModel):
    """The range that holds the real price with probability ``level``, in dollars."""

    low: float
    high: float
    level: float = Field(examples=[INTERVAL_LEVEL])


class InputWarning(BaseModel):
    """Something about the input that makes the price less sure."""

    field: str = Field(examples=["zip_code"])
    kind: str = Field(description="missing, unseen, out_of_range or ignored", examples=["unseen"])
    message: str = Field(examples=["the model has seen no listing in zip code 00602"])


class ModelIdentity(BaseModel):
    """The model version that computed the answer."""

    name: str = Field(examples=["house-prices"])
    version: str = Field(examples=["4"])
    alias: str = Field(examples=["production"])
    run_id: str | None = Field(examples=["8f1c2f6d1a0b4e0f8f6b7f3f5a3f9f11"])


class Prediction(BaseModel):
    """The price of one row in dollars, or its error."""

    price: float | None
    interval: Interval | None
    warnings: list[InputWarning]
    error: RowError | None = None


class OnePrediction(Prediction):
    """The answer to one property."""

    request_id: str
    model: ModelIdentity


class Predictions(BaseModel):
    """The answer to ``instances``, in their order."""

    request_id: str
    model: ModelIdentity
    predictions: list[Prediction]


class Contribution(BaseModel):
    """What one field does to the price; city, state and zip code are one field: location."""

    field: str = Field(examples=["location"])
    log: float = Field(description="SHAP value, in units of the logarithm of the price", examples=[0.262])
    factor: float = Field(description="the same as a factor of the price", examples=[1.3])
    usd: float = Field(description="the same as dollars; all of them add up to price - base price", examples=[54321.0])


class Base(BaseModel):
    """The model's price of a home of which nothing is known, where an explanation starts."""

    log: float = Field(examples=[12.3])
    price: float = Field(description="dollars", examples=[219696.0])


class Explanation(Prediction):
    """A price with what it is made of: base and contributions, the largest first; none for a row without a price."""

    base: Base | None
    contributions: list[Contribution]


class OneExplanation(Explanation):
    """The answer to one property."""

    request_id: str
    model: ModelIdentity


class Explanations(BaseModel):
    """The answer to ``instances``, in their order."""

    request_id: str
    model: ModelIdentity
    explanations: list[Explanation]
