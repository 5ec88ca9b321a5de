"""What clients send and get. Limits here are those of the possible; what is merely unusual is a warning (domain.py)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

MAX_INSTANCES: Final = 1000
MAX_BODY_BYTES: Final = 4_000_000
INTERVAL_LEVEL: Final = 0.9

EXAMPLE: Final[dict[str, Any]] = {
    "status": "for_sale",
    "bed": 3,
    "bath": 2,
    "acre_lot": 0.12,
    "city": "Adjuntas",
    "state": "Puerto Rico",
    "zip_code": "00601",
    "house_size": 920,
    "prev_sold_date": "2015-11-04",
    "brokered_by": 103378,
}


def _zip_code(value: Any) -> Any:
    """Five digits from "00601", "601", 601 or 601.0."""
    if isinstance(value, bool):
        raise PydanticCustomError("zip_code", "a zip code is a text of five digits or a number")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = re.sub(r"\.0+$", "", str(value).strip()) if isinstance(value, str | int) else ""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) == 0:
        raise PydanticCustomError("zip_code", "a zip code is a text of five digits or a number")
    return text.zfill(5)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "a truth value is not a number")
    return _blank(value)


def _blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _text(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value


def _date(value: Any) -> Any:
    """YYYY-MM-DD, also with a time behind it; numbers are refused, for Pydantic would read them as seconds."""
    value = _text(value)
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)", value):
        return value[:10]
    raise PydanticCustomError("date", "a date is a text like YYYY-MM-DD")


def _optional_zip_code(value: Any) -> Any:
    value = _blank(value)
    return None if value is None else _zip_code(value)


_Float = Annotated[float | None, BeforeValidator(_number)]
_Text = Annotated[str | None, BeforeValidator(_text)]


class Property(BaseModel):
    """One property. Every field may be missing or null; the more is known, the narrower the interval."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, json_schema_extra={"examples": [EXAMPLE]})

    status: _Text = Field(None, max_length=50, description="for_sale, sold or ready_to_build", examples=["for_sale"])
    bed: _Float = Field(None, ge=0, le=1000, description="bedrooms", examples=[3])
    bath: _Float = Field(None, ge=0, le=1000, description="bathrooms", examples=[2])
    acre_lot: _Float = Field(None, ge=0, le=1_000_000, description="size of the lot, acres", examples=[0.12])
    city: _Text = Field(None, max_length=100, description="city or town", examples=["Adjuntas"])
    state: _Text = Field(None, max_length=100, description="state or territory, in full", examples=["Puerto Rico"])
    zip_code: Annotated[str | None, BeforeValidator(_optional_zip_code, json_schema_input_type=str | float | None)] = Field(
        None, description="zip code, 00001 to 99999: text or number, leading zeros may be missing", examples=["00601"]
    )
    house_size: _Float = Field(None, gt=0, le=1_000_000_000, description="living space, square feet", examples=[920])
    prev_sold_date: Annotated[date | None, BeforeValidator(_date)] = Field(
        None,
        ge=date(1700, 1, 1),
        le=date(2100, 12, 31),
        description="when it was last sold, YYYY-MM-DD",
        examples=["2015-11-04"],
    )
    brokered_by: _Float = Field(None, ge=0, le=1e12, description="the broker's number", examples=[103378])


FIELDS: Final = tuple(Property.model_fields)
_PROPERTY: Final = TypeAdapter(Property)


class PropertyBatch(BaseModel):
    """Up to 1,000 properties. A property that is not valid gets an error in its place and does not hurt the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"instances": [EXAMPLE, {"zip_code": 601, "house_size": 1500}]}]})

    instances: list[Property] = Field(min_length=1, max_length=MAX_INSTANCES)


class Problem(BaseModel):
    """What is wrong with one field, what is allowed, and a value that would do."""

    field: str = Field(examples=["bed"])
    message: str = Field(examples=["Input should be greater than or equal to 0"])
    allowed: str | None = Field(None, examples=["a number from 0 to 1000"])
    example: Any = Field(None, examples=[3])
    given: Any = Field(None, examples=[-1])


class Refusal(BaseModel):
    """Why a request was not answered with a price."""

    request_id: str
    detail: list[Problem]


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


class RowError(BaseModel):
    """Why a row has no price."""

    detail: list[Problem]


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


class Degraded(BaseModel):
    """A part that does not work as it should, in words."""

    part: str = Field(examples=["database"])
    detail: str


class Readiness(BaseModel):
    """Whether prices can be had, and what is degraded."""

    status: str = Field(examples=["ready"])
    reason: str | None = None
    model: ModelIdentity | None = None
    degraded: list[Degraded] = []


class Liveness(BaseModel):
    """The process answers."""

    status: str = Field(examples=["live"])


class ModelDescription(ModelIdentity):
    """The model that answers: where it comes from and what it takes."""

    loaded_at: datetime
    interval_level: float
    inputs: list[dict[str, Any]]
    known_values: dict[str, int] = Field(description="how many different values of a field the model has learned")
    tags: dict[str, str]
    description: str


class ReloadAnswer(BaseModel):
    """What a reload did: loaded, unchanged, failed, no_model or unavailable."""

    result: str
    detail: str
    model: ModelIdentity | None = None


def parse_property(value: Any) -> Property | list[dict[str, Any]]:
    """A valid property, or its problems (as ``Problem`` dictionaries)."""
    if not isinstance(value, dict):
        return [problem("body", "a property is an object", value, "an object of the fields of Property", EXAMPLE)]
    try:
        return _PROPERTY.validate_python(value)
    except ValidationError as error:
        return [_field_problem(details) for details in error.errors(include_url=False)]


def problem(field: str, message: str, given: Any = None, allowed: str | None = None, example: Any = None) -> dict[str, Any]:
    """One ``Problem``; long values are cut."""
    shown = given if given is None or isinstance(given, bool | int | float) else str(given)[:200]
    return {"field": field, "message": message, "allowed": allowed, "example": example, "given": shown}


def _field_problem(details: Any) -> dict[str, Any]:
    name = str(details["loc"][0])
    return problem(name, details["msg"], details["input"], ALLOWED[name], EXAMPLE[name])


ALLOWED: Final[dict[str, str]] = {
    "status": "a text of at most 50 characters, such as for_sale, sold or ready_to_build, or null",
    "bed": "a number from 0 to 1000, or null",
    "bath": "a number from 0 to 1000, or null",
    "acre_lot": "acres, a number from 0 to 1000000, or null",
    "city": "a text of at most 100 characters, or null",
    "state": "a text of at most 100 characters, or null",
    "zip_code": "00001 to 99999 as text or number, or null",
    "house_size": "square feet, a number above 0 up to 1000000000, or null",
    "prev_sold_date": "a date from 1700-01-01 to 2100-12-31 as text YYYY-MM-DD, or null",
    "brokered_by": "a number from 0 to 1000000000000, or null",
}
"""The range of each field in words; a test holds it to the limits of ``Property``."""
