"""The prices come from the API, never from the model file.

ApiError
├── ApiDownError      nobody answers
├── NoModelError      the API is up and has no model yet
├── LaterError        the API is too busy, or what the route needs is away: the same works later
├── UnsupportedError  this API has no such route, or its model cannot do it
├── RefusedError      the input is at fault, ``problems`` say how
└── ApiFailedError    any other status
    └── KeyRefusedError   the dashboard's API key is missing or not accepted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

MAX_INSTANCES = 1000
"""Properties that one call of /predict takes."""

KINDS = ("sale", "asking", "appraisal")
"""What a real price may be."""


class ApiError(Exception):
    """The API gave no price."""


class ApiDownError(ApiError):
    """Nobody answers at the address."""


class NoModelError(ApiError):
    """The API has no model yet."""


class LaterError(ApiError):
    """Not now; nothing was kept."""


class UnsupportedError(ApiError):
    """The API has no such route, or its model cannot do it."""


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


class KeyRefusedError(ApiFailedError):
    """The API asks for a key, and the dashboard's is not accepted."""


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
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """What one field does to a price: dollars that add up with the others', and the factor on the price."""

    field: str
    usd: float
    factor: float


@dataclass(frozen=True)
class Explanation:
    """Where a price comes from: base price plus parts is the price, in dollars; the largest part first."""

    base: float
    price: float
    parts: tuple[Part, ...]
    model_version: str


@dataclass(frozen=True)
class PricedRow:
    """One row of many: a price with its range, or the problems of the row."""

    price: float | None
    low: float | None
    high: float | None
    warnings: tuple[Mapping[str, str], ...]
    problems: tuple[Mapping[str, Any], ...]
    model_version: str


@dataclass(frozen=True)
class FeedbackReceipt:
    """What became of a real price; ``predicted`` in dollars is None while the answer is not yet in the database."""

    result: str
    predicted: float | None
    actual: float


class Api:
    """A client of the prediction API. ``key`` is the dashboard's API key, empty for an API without keys."""

    def __init__(self, url: str, key: str = "", timeout: float = 10.0) -> None:
        headers = {"X-API-Key": key} if key else {}
        self._client = httpx.Client(base_url=url, timeout=timeout, trust_env=False, headers=headers)

    def _send(self, method: str, path: str, body: Any = None, request_id: str | None = None) -> Any:
        headers = {"X-Request-ID": request_id} if request_id else None
        try:
            answer = self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise ApiDownError(str(error)) from error
        if answer.is_success:
            return answer.json()
        raise _error(answer)

    def model(self) -> ServedModel:
        """The model that answers now. Raises ApiError."""
        body = self._send("GET", "/model")
        return ServedModel(str(body["version"]), datetime.fromisoformat(body["loaded_at"]), body.get("tags") or {})

    def predict(self, home: Mapping[str, Any]) -> Estimate:
        """The price of one home, of which unknown fields are left out. Raises ApiError."""
        body = self._send("POST", "/predict", _known(home))
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

    def predict_many(self, homes: Sequence[Mapping[str, Any]]) -> list[PricedRow]:
        """Up to MAX_INSTANCES homes in one call, in their order; a row that is not valid hurts no other. Raises ApiError."""
        body = self._send("POST", "/predict", {"instances": [_known(home) for home in homes]})
        version = str(body["model"]["version"])
        return [
            PricedRow(
                price=row["price"],
                low=(row["interval"] or {}).get("low"),
                high=(row["interval"] or {}).get("high"),
                warnings=tuple(row["warnings"]),
                problems=tuple((row.get("error") or {}).get("detail") or ()),
                model_version=version,
            )
            for row in body["predictions"]
        ]

    def explain(self, home: Mapping[str, Any], request_id: str) -> Explanation:
        """What a price is made of that was given under ``request_id``: no second inference is kept. Raises ApiError."""
        body = self._send("POST", "/explain", _known(home), request_id)
        parts = tuple(Part(part["field"], part["usd"], part["factor"]) for part in body["contributions"])
        return Explanation(body["base"]["price"], body["price"], parts, str(body["model"]["version"]))

    def feedback(self, request_id: str, actual: float, kind: str) -> FeedbackReceipt:
        """Tell the API the real price, in dollars, of a home that it has priced. Raises ApiError."""
        body = self._send("POST", "/feedback", {"request_id": request_id, "actual_price": actual, "kind": kind})
        return FeedbackReceipt(body["result"], body["predicted"], body["actual_price"])

    def readiness(self) -> Mapping[str, Any]:
        """What works and what is degraded, also before the first model. Raises ApiDownError, ApiFailedError."""
        try:
            answer = self._client.get("/health/ready")
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiDownError(str(error)) from error
        if answer.status_code not in (200, 503) or not isinstance(body, dict):
            raise ApiFailedError(answer.status_code, "–")
        return body

    def metrics(self) -> str:
        """The API's own metrics as Prometheus reads them. Raises ApiDownError, ApiFailedError."""
        try:
            answer = self._client.get("/metrics")
        except httpx.HTTPError as error:
            raise ApiDownError(str(error)) from error
        if not answer.is_success:
            raise ApiFailedError(answer.status_code, "–")
        return answer.text


def _known(home: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in home.items() if value is not None}


def _error(answer: httpx.Response) -> ApiError:
    problems = _problems(answer)
    status = answer.status_code
    if status == 503:
        no_model = not problems or "no model" in str(problems[0].get("message"))
        return NoModelError(answer.text) if no_model else LaterError(str(problems[0].get("message")))
    if status in (429, 504):
        return LaterError(answer.text[:500])
    if status in (401, 403):
        return KeyRefusedError(status, answer.headers.get("X-Request-ID", "–"))
    # A route that is there and does not know the request says so in problems.
    if status in (405, 501) or (status == 404 and not problems):
        return UnsupportedError(answer.text[:500])
    if status in (404, 413, 422) and problems:
        return RefusedError(problems)
    return ApiFailedError(status, answer.headers.get("X-Request-ID", "–"))


def _problems(answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return []
    return [problem for problem in detail if isinstance(problem, dict)] if isinstance(detail, list) else []
