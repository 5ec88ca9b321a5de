"""The prices come from the API, never from the model file.

ApiError
├── ApiDownError     nobody answers
├── NoModelError     the API is up and has no model yet
├── RefusedError     422: the input is at fault, ``problems`` say how
└── ApiFailedError   any other status
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx


class ApiError(Exception):
    """The API gave no price."""


class ApiDownError(ApiError):
    """Nobody answers at the address."""


class NoModelError(ApiError):
    """The API has no model yet."""


class RefusedError(ApiError):
    """The API does not accept the input; ``problems`` have field, message, allowed and example."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(str(problem.get("message")) for problem in problems))
        self.problems = problems


class ApiFailedError(ApiError):
    """The API answered with a status that it should not have."""

    def __init__(self, status: int, request_id: str) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.request_id = request_id


@dataclass(frozen=True)
class Estimate:
    """A price with its range, in dollars, and who computed it."""

    price: float
    low: float
    high: float
    level: float
    warnings: tuple[Mapping[str, str], ...]
    model_name: str
    model_version: str
    request_id: str


@dataclass(frozen=True)
class ServedModel:
    """The version that answers and since when this API process has it."""

    version: str
    loaded_at: datetime


class Api:
    """A client of the prediction API."""

    def __init__(self, url: str, key: str = "", timeout: float = 10.0) -> None:
        """``key`` is sent with every request, if there is one."""
        headers = {"X-API-Key": key} if key else None
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ApiDownError(str(error)) from error
        if answer.is_success:
            return answer.json()
        if answer.status_code == 503:
            raise NoModelError(answer.text)
        if answer.status_code == 422:
            raise RefusedError(answer.json()["detail"])
        raise ApiFailedError(answer.status_code, answer.headers.get("X-Request-ID", "–"))

    def model(self) -> ServedModel:
        """The model that answers now. Raises ApiError."""
        body = self._send("GET", "/model")
        return ServedModel(str(body["version"]), datetime.fromisoformat(body["loaded_at"]))

    def predict(self, home: Mapping[str, Any]) -> Estimate:
        """The price of one home, of which unknown fields are left out. Raises ApiError."""
        body = self._send("POST", "/predict", {name: value for name, value in home.items() if value is not None})
        return Estimate(
            price=body["price"],
            low=body["interval"]["low"],
            high=body["interval"]["high"],
            level=body["interval"]["level"],
            warnings=tuple(body["warnings"]),
            model_name=body["model"]["name"],
            model_version=str(body["model"]["version"]),
            request_id=body["request_id"],
        )
