"""The body of a request, read into rows; what is wrong with one row does not hurt the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from ct_serving.raw_table import Status
from ct_serving.schemas import EXAMPLE, MAX_INSTANCES, Property, parse_property, problem
from ct_serving.usual import Values, usual_values, values_of

MOST_LEVELS = 250
"""How deep a body may be nested; orjson reads 1,024 levels and writes 254, of which a row of the log takes one."""


class UnreadableError(Exception):
    """A body is neither of the two forms: the problems, and what of it goes on record."""

    def __init__(self, detail: list[dict[str, Any]], given: Any) -> None:
        super().__init__(detail[0]["message"])
        self.detail = detail
        self.given = given


class _TooDeepError(Exception):
    """JSON that can be read and not be written again, nor be kept on record."""


@dataclass(slots=True)
class Row:
    """One property of a request and its answer. ``values`` are those of a valid property, ``usual`` if of known fields."""

    given: Any
    problems: list[dict[str, Any]] | None = None
    values: Values | None = None
    usual: bool = False
    status: Status = "ok"
    prices: tuple[float, float, float] | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)


def read_rows(body: bytes) -> tuple[list[Row], bool]:
    """The rows of a request body, and whether it is a single property. Raises UnreadableError if it is neither form."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        text = body[:2000].decode("utf-8", "replace")
        found = problem("body", f"the body is not JSON: {error}", text, "a JSON object", EXAMPLE)
        raise UnreadableError([found], {"body": text}) from None
    try:
        return _rows(content)
    except _TooDeepError:
        text = body[:2000].decode("utf-8", "replace")
        message = "the body is nested too deep to be kept on record"
        found = problem("body", message, text, f"at most {MOST_LEVELS} levels", EXAMPLE)
        raise UnreadableError([found], {"body": text}) from None


def _rows(content: Any) -> tuple[list[Row], bool]:
    if not (isinstance(content, dict) and "instances" in content):
        return [_row(content)], True
    instances = content["instances"]
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        count = f"{len(instances)} properties" if isinstance(instances, list) else type(instances).__name__
        allowed = f"a list of 1 to {MAX_INSTANCES} properties"
        found = problem("instances", f"instances must be {allowed}", count, allowed, [EXAMPLE])
        raise UnreadableError([found], {"instances": count})
    return [_row(value) for value in instances], False


def _row(given: Any) -> Row:
    values = usual_values(given)
    if values is not None:
        return Row(given, values=values, usual=True)
    try:
        orjson.dumps([given])
    except TypeError:
        raise _TooDeepError from None
    parsed = parse_property(given)
    if isinstance(parsed, Property):
        return Row(given, values=values_of(parsed))
    return Row(given, problems=parsed, status="invalid")
