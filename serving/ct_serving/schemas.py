"""What clients send and get. Limits here are those of the possible; what is merely unusual is a warning (domain.py)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

MAX_INSTANCES: Final = 1000
MAX_EXPLAINED: Final = 20
MAX_REIGNS: Final = 1000
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


_WHITE: Final = " \t\n\r"
_BLANK_PATTERN: Final = "^[ \\t\\n\\r]*$"
_ZIP_PATTERN: Final = (
    "^[ \\t\\n\\r]*([1-9][0-9]{0,4}|0[1-9][0-9]{0,3}|00[1-9][0-9]{0,2}|000[1-9][0-9]?|0000[1-9])(\\.0+)?[ \\t\\n\\r]*$"
)
# Month and day as they exist, 29 February in leap years only, then a time of day that is not read.
_DATE_PATTERN: Final = (
    "^[ \\t\\n\\r]*((1[7-9][0-9]{2}|20[0-9]{2}|2100)-"
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    "|((17|18|19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29)([T ][0-9:.,+Z-]*)?[ \\t\\n\\r]*$"
)


def _zip_code(value: Any) -> Any:
    """Five digits from "00601", "601", 601 or 601.0."""
    if isinstance(value, bool):
        raise PydanticCustomError("zip_code", "a zip code is a text of five digits or a number")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = re.sub(r"\.0+$", "", str(value).strip(_WHITE)) if isinstance(value, str | int) else ""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) == 0:
        raise PydanticCustomError("zip_code", "a zip code is a text of five digits or a number")
    return text.zfill(5)


def _number(value: Any) -> Any:
    value = _blank(value)
    if isinstance(value, bool | str):
        kind = "truth value" if isinstance(value, bool) else "text"
        raise PydanticCustomError("number", "a {kind} is not a number", {"kind": kind})
    return value


def _blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip(_WHITE) else value


def _text(value: Any) -> Any:
    return (value.strip(_WHITE) or None) if isinstance(value, str) else value


def _date(value: Any) -> Any:
    """YYYY-MM-DD, also with a time behind it; numbers are refused, for Pydantic would read them as seconds."""
    value = _text(value)
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,+Z-]*)?", value):
        return value[:10]
    raise PydanticCustomError("date", "a date is a text like YYYY-MM-DD")


def _optional_zip_code(value: Any) -> Any:
    value = _blank(value)
    return None if value is None else _zip_code(value)


# A blank text stands for null; the validators see it before the limits do.
_Blank = Annotated[str, Field(pattern=_BLANK_PATTERN)]
_Text = Annotated[str | None, BeforeValidator(_text)]


def _number_within(*, le: float, ge: float | None = None, gt: float | None = None) -> BeforeValidator:
    """Takes a number; the limits are for the schema, the field checks its own."""
    return BeforeValidator(_number, json_schema_input_type=Annotated[float, Field(ge=ge, gt=gt, le=le)] | _Blank | None)


class Property(BaseModel):
    """One property. Every field may be missing or null; the more is known, the narrower the interval."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, json_schema_extra={"examples": [EXAMPLE]})

    status: _Text = Field(None, max_length=50, description="for_sale, sold or ready_to_build", examples=["for_sale"])
    bed: Annotated[float | None, _number_within(ge=0, le=1000)] = Field(
        None, ge=0, le=1000, description="bedrooms", examples=[3]
    )
    bath: Annotated[float | None, _number_within(ge=0, le=1000)] = Field(
        None, ge=0, le=1000, description="bathrooms", examples=[2]
    )
    acre_lot: Annotated[float | None, _number_within(ge=0, le=1_000_000)] = Field(
        None, ge=0, le=1_000_000, description="size of the lot, acres", examples=[0.12]
    )
    city: _Text = Field(None, max_length=100, description="city or town", examples=["Adjuntas"])
    state: _Text = Field(None, max_length=100, description="state or territory, in full", examples=["Puerto Rico"])
    zip_code: Annotated[
        str | None,
        BeforeValidator(
            _optional_zip_code,
            json_schema_input_type=Annotated[str, Field(pattern=_ZIP_PATTERN)]
            | Annotated[int, Field(ge=1, le=99_999)]
            | _Blank
            | None,
        ),
    ] = Field(None, description="zip code, 00001 to 99999: text or number, leading zeros may be missing", examples=["00601"])
    house_size: Annotated[float | None, _number_within(gt=0, le=1_000_000_000)] = Field(
        None, gt=0, le=1_000_000_000, description="living space, square feet", examples=[920]
    )
    prev_sold_date: Annotated[
        date | None,
        BeforeValidator(_date, json_schema_input_type=Annotated[str, Field(pattern=_DATE_PATTERN)] | _Blank | None),
    ] = Field(
        None,
        ge=date(1700, 1, 1),
        le=date(2100, 12, 31),
        description="when it was last sold, YYYY-MM-DD",
        examples=["2015-11-04"],
    )
    brokered_by: Annotated[float | None, _number_within(ge=0, le=1e12)] = Field(
        None, ge=0, le=1e12, description="the broker's number", examples=[103378]
    )


FIELDS: Final = tuple(Property.model_fields)
_PROPERTY: Final = TypeAdapter(Property)


class PropertyBatch(BaseModel):
    """Up to 1,000 properties. A property that is not valid gets an error in its place and does not hurt the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"instances": [EXAMPLE, {"zip_code": 601, "house_size": 1500}]}]})

    instances: list[Property | Any] = Field(
        min_length=1, max_length=MAX_INSTANCES, description="each a Property; whatever else it is gets an error in its place"
    )


class PropertyFew(BaseModel):
    """Up to 20 properties to explain."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"instances": [EXAMPLE, {"zip_code": 601, "house_size": 1500}]}]})

    instances: list[Property | Any] = Field(
        min_length=1, max_length=MAX_EXPLAINED, description="each a Property; whatever else it is gets an error in its place"
    )


FEEDBACK_EXAMPLE: Final[dict[str, Any]] = {
    "request_id": "4f6e2f0a-7d0a-4c3e-9b8e-2f1f0a7c9d11",
    "row_number": 0,
    "actual_price": 242000,
    "kind": "sale",
}

FEEDBACK_ALLOWED: Final[dict[str, str]] = {
    "request_id": "the request id of an answer of /predict, /explain or /infer: a UUID",
    "row_number": f"the position of the property in its request, a whole number from 0 to {MAX_INSTANCES - 1}",
    "actual_price": "dollars, a number above 0 up to 1000000000000",
    "kind": "sale, asking or appraisal",
}


def _uuid(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(_UUID_PATTERN[1:-1], value):
        raise PydanticCustomError("uuid", "a request id is a UUID like 4f6e2f0a-7d0a-4c3e-9b8e-2f1f0a7c9d11")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, bool | str) or (isinstance(value, float) and not value.is_integer()):
        raise PydanticCustomError("whole", "this is not a whole number")
    return value


_UUID_PATTERN: Final = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


class Feedback(BaseModel):
    """What a property was really worth. The newest for a row and kind counts; what came before stays on record."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [FEEDBACK_EXAMPLE]})

    request_id: Annotated[UUID, BeforeValidator(_uuid)] = Field(description="the request id that came with the price")
    row_number: Annotated[int, BeforeValidator(_whole)] = Field(
        0, ge=0, lt=MAX_INSTANCES, description="which property of the request, from 0"
    )
    actual_price: Annotated[float, BeforeValidator(_number)] = Field(gt=0, le=1e12, description="dollars")
    kind: Literal["sale", "asking", "appraisal"] = Field("sale", description="what the price is: paid, asked for, or estimated")


class Problem(BaseModel):
    """What is wrong with one field, what is allowed, and a value that would do."""

    field: str = Field(examples=["bed"])
    message: str = Field(examples=["Input should be greater than or equal to 0"])
    allowed: str | None = Field(None, examples=["a number from 0 to 1000"])
    example: Any = Field(None, examples=[3])
    given: Any = Field(None, examples=[-1])


class Refusal(BaseModel):
    """Why a request has no answer."""

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


class FeedbackAnswer(BaseModel):
    """What became of a real price."""

    request_id: str = Field(description="of this call")
    feedback_for: str = Field(description="of the price that it is about")
    row_number: int
    kind: str
    actual_price: float
    result: Literal["stored", "unchanged"] = Field(description="unchanged: the same price counted already, no line was added")
    replaced: float | None = Field(description="the real price that counted until now, dollars")
    predicted: float | None = Field(
        description="the price that was answered; null if there was none, or it still waits on disk"
    )
    model_version: str | None


class Reason(BaseModel):
    """A decision of the pipeline: its code, and its sentence in the language that was asked for."""

    code: str = Field(examples=["PROMOTE_BETTER"])
    text: str
    decided_at: datetime
    decision_id: UUID
    policy: str | None = Field(examples=["strict 1"])


class Reign(BaseModel):
    """A version's time in production."""

    version: str
    since: datetime
    until: datetime | None = Field(description="null for the version that is there now")
    event: str = Field(description="promoted, rolled_back or alias_moved_by_hand")
    dag_id: str
    run_id: str
    trained_because: Reason | None
    in_production_because: Reason | None


class ModelHistory(BaseModel):
    """Who was in production when, newest first, according to the ledger."""

    model: str
    language: str
    reigns: list[Reign]


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
