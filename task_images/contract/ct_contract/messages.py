"""The two messages between an operator and a task image: `TaskInput` in, `TaskResult` out, both versioned JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

CONTRACT_VERSION = 1

MAX_RESULT_BYTES = 32_768
"""A result is a verdict and pointers; rows belong in PostgreSQL, files in the bucket."""

Status = Literal["done", "skipped", "rejected", "failed"]


class ContractError(ValueError):
    """A message that does not keep the contract, with the field that is at fault."""


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ContractError(f"{what} must be a JSON object, not {type(value).__name__}")
    if value.get("version") != CONTRACT_VERSION:
        raise ContractError(
            f"{what} has contract version {value.get('version')!r}, this side speaks {CONTRACT_VERSION}: "
            "use an image and a provider of the same release"
        )
    return value


def _take(value: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    if not isinstance(value.get(name), kind) or isinstance(value[name], bool):
        raise ContractError(f"{what} needs {name!r} as {kind.__name__}, got {value.get(name)!r}")
    return value[name]


@dataclass(frozen=True, kw_only=True)
class TaskInput:
    """What a task is asked to do. ``inputs`` are the step's own values: ids and settings, never rows or secrets."""

    task: str
    dag_id: str
    run_id: str
    try_number: int = 1
    inputs: Mapping[str, Any] = field(default_factory=dict)
    version: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """One line of JSON; refuses NaN, which is not JSON."""
        return json.dumps(asdict(self), allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read it back. Raises ContractError with the field that is wrong."""
        value = _object(text, "the task input")
        return cls(
            task=_take(value, "task", str, "the task input"),
            dag_id=_take(value, "dag_id", str, "the task input"),
            run_id=_take(value, "run_id", str, "the task input"),
            try_number=_take(value, "try_number", int, "the task input"),
            inputs=_take(value, "inputs", dict, "the task input"),
        )

    def require(self, name: str, kind: type) -> Any:
        """One of the step's own values, by name. Raises ContractError if it is absent or of another type."""
        return _take(self.inputs, name, kind, f"{self.task}'s inputs")


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """A verdict and pointers.

    ``code`` is one of the documented codes (``COLLECTED``, ``TRAIN_BOOTSTRAP``, ...), ``reason`` the sentence rendered
    from it, ``summary`` ids and a few numbers for the next step, ``links`` addresses for people.
    """

    task: str
    run_id: str
    code: str
    status: Status = "done"
    reason: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    version: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """One line of JSON. Raises ContractError for NaN, for what JSON cannot hold and for more than 32 KiB."""
        try:
            text = json.dumps(asdict(self), allow_nan=False, sort_keys=True)
        except (TypeError, ValueError) as error:
            raise ContractError(f"the result of {self.task} cannot be written as JSON: {error}") from error
        if len(text.encode()) > MAX_RESULT_BYTES:
            raise ContractError(
                f"the result of {self.task} has {len(text.encode())} bytes, at most {MAX_RESULT_BYTES} are allowed: "
                "put rows into PostgreSQL and files into the bucket, and return a pointer"
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, as Airflow keeps it in XCom."""
        value: dict[str, Any] = json.loads(self.to_json())
        return value

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read it back. Raises ContractError with the field that is wrong."""
        return cls._from_object(_object(text, "the task result"))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """The same from plain values, as XCom holds them."""
        return cls.from_json(json.dumps(value))

    @classmethod
    def _from_object(cls, value: Mapping[str, Any]) -> Self:
        status = _take(value, "status", str, "the task result")
        if status not in get_args(Status):
            raise ContractError(f"the task result has an unknown status {status!r}, expected one of {get_args(Status)}")
        return cls(
            task=_take(value, "task", str, "the task result"),
            run_id=_take(value, "run_id", str, "the task result"),
            code=_take(value, "code", str, "the task result"),
            status=status,
            reason=_take(value, "reason", str, "the task result"),
            summary=_take(value, "summary", dict, "the task result"),
            links=_take(value, "links", dict, "the task result"),
        )
