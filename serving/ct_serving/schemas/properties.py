"""A property as clients describe it. Limits are those of the possible; what is unusual is a warning (domain.py)."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from ct_serving.schemas.limits import MAX_EXPLAINED, MAX_INSTANCES
from ct_serving.schemas.problems import problem

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


def as_number(value: Any) -> Any:
    """The value, or None for a blank text. Raises PydanticCustomError for a text or a truth value."""
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
    return BeforeValidator(as_number, json_schema_input_type=Annotated[float, Field(ge=ge, gt=gt, le=le)] | _Blank | None)


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


def parse_property(value: Any) -> Property | list[dict[str, Any]]:
    """A valid property, or its problems (as ``Problem`` dictionaries)."""
    if not isinstance(value, dict):
        return [problem("body", "a property is an object", value, "an object of the fields of Property", EXAMPLE)]
    try:
        return _PROPERTY.validate_python(value)
    except ValidationError as error:
        return [_field_problem(details) for details in error.errors(include_url=False)]


def _field_problem(details: Any) -> dict[str, Any]:
    name = str(details["loc"][0])
    return problem(name, details["msg"], details["input"], ALLOWED[name], EXAMPLE[name])
