"""The values that a step is given: their types, and how a value is found in what an earlier step returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})


class InputError(ValueError):
    """A step's input is missing or of another type; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One of a step's inputs.

    ``taken_from`` are the names it may have in the summary of an earlier step's result, the first that is there counts;
    empty for its own name.
    """

    kind: type
    required: bool = False
    taken_from: tuple[str, ...] = ()


def read_inputs(declared: Mapping[str, Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values in their declared types; what is absent, None or an empty text is left out.

    A value may be a whole task result (what ``operator.output`` gives): then the value of the same name is taken from its
    summary. Texts are read as numbers and truth values, because templates render to text. Inputs that are not declared
    pass as they are. Raises InputError.
    """
    values: dict[str, Any] = {}
    for name in [*declared, *(name for name in given if name not in declared)]:
        field = declared.get(name)
        value = _from_result(name, field, given.get(name))
        if value is None or value == "":
            if field is not None and field.required:
                raise InputError(f"the input {name!r} has no value: give it to the operator, or take it from the step before")
            continue
        values[name] = value if field is None else _typed(name, field.kind, value)
    return values


def _from_result(name: str, field: Input | None, value: Any) -> Any:
    if not isinstance(value, Mapping) or not {"task", "code", "summary"} <= value.keys():
        return value
    names = (field.taken_from if field else ()) or (name,)
    for candidate in names:
        if candidate in value["summary"]:
            return value["summary"][candidate]
    raise InputError(
        f"the input {name!r} should come from the result of {value['task']} ({value['code']}), "
        f"whose summary has no {' or '.join(names)}: it has {', '.join(sorted(value['summary'])) or 'nothing'}"
    )


def _typed(name: str, kind: type, value: Any) -> Any:
    if kind is bool and isinstance(value, str) and value.strip().lower() in TRUE | FALSE:
        return value.strip().lower() in TRUE
    if kind is int and isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise InputError(f"the input {name!r} must be a whole number, got {value!r}") from None
    if kind is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"the input {name!r} must be {kind.__name__}, got {value!r}")
    return value
