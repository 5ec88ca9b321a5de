"""Why a request, or a row of it, has no answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


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


class RowError(BaseModel):
    """Why a row has no price."""

    detail: list[Problem]


def problem(field: str, message: str, given: Any = None, allowed: str | None = None, example: Any = None) -> dict[str, Any]:
    """One ``Problem``; long values are cut."""
    return {"field": field, "message": message, "allowed": allowed, "example": example, "given": _shown(given)}


def _shown(given: Any) -> Any:
    if given is None or isinstance(given, bool | int | float):
        return given
    try:
        return str(given)[:200]
    except RecursionError:
        # JSON may be nested deeper than Python writes.
        return type(given).__name__
