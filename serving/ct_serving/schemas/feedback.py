"""Real prices, and what became of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ct_serving.schemas.limits import MAX_INSTANCES
from ct_serving.schemas.properties import as_number

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

_UUID_PATTERN: Final = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def _uuid(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(_UUID_PATTERN[1:-1], value):
        raise PydanticCustomError("uuid", "a request id is a UUID like 4f6e2f0a-7d0a-4c3e-9b8e-2f1f0a7c9d11")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, bool | str) or (isinstance(value, float) and not value.is_integer()):
        raise PydanticCustomError("whole", "this is not a whole number")
    return value


class Feedback(BaseModel):
    """What a property was really worth. The newest for a row and kind counts; what came before stays on record."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [FEEDBACK_EXAMPLE]})

    request_id: Annotated[UUID, BeforeValidator(_uuid)] = Field(description="the request id that came with the price")
    row_number: Annotated[int, BeforeValidator(_whole)] = Field(
        0, ge=0, lt=MAX_INSTANCES, description="which property of the request, from 0"
    )
    actual_price: Annotated[float, BeforeValidator(as_number)] = Field(gt=0, le=1e12, description="dollars")
    kind: Literal["sale", "asking", "appraisal"] = Field("sale", description="what the price is: paid, asked for, or estimated")


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
