"""POST /predict: from bytes to bytes. Each row has its own answer or error; every row goes to the inference log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.inference_log import InferenceLog
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import InferenceRow, Status
from ct_serving.schemas import (
    EXAMPLE,
    INTERVAL_LEVEL,
    MAX_BODY_BYTES,
    MAX_INSTANCES,
    Property,
    parse_property,
    problem,
)

logger = logging.getLogger(__name__)

# A call of this many rows takes about as long as handing it to a thread.
_ROWS_INLINE = 16
_RETRY_SECONDS = "5"


class RefusedError(Exception):
    """The request as a whole has no answer: an HTTP status and the problems."""

    def __init__(self, http_status: int, status: Status, detail: list[dict[str, Any]], given: Any) -> None:
        super().__init__(detail[0]["message"])
        self.http_status = http_status
        self.status: Status = status
        self.detail = detail
        self.given = given


@dataclass(slots=True)
class _Row:
    given: Any
    problems: list[dict[str, Any]] | None = None
    property: Property | None = None
    status: Status = "ok"
    prices: tuple[float, float, float] | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Call:
    request_id: UUID
    client: str | None
    model: LoadedModel | None
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def columns(self) -> dict[str, Any]:
        """What all rows of the request share in RAW; the moment of the answer is now."""
        return {
            "request_id": self.request_id,
            "received_at": self.received_at,
            "answered_at": datetime.now(UTC),
            "model_name": None if self.model is None else self.model.name,
            "model_version": None if self.model is None else self.model.version,
            "client": self.client,
        }


class PredictRoute:
    """The route's dependencies and its work."""

    def __init__(self, holder: ModelHolder, log: InferenceLog, metrics: Metrics) -> None:
        self._holder = holder
        self._log = log
        self._metrics = metrics

    async def __call__(self, request: Request) -> Response:
        """Answer one request; the model is taken once, and the answer names the one that computed it."""
        call = _Call(
            request_id=request.state.request_id,
            client=request.state.client,
            model=self._holder.current,
        )
        rows: list[_Row] = []
        try:
            rows, single = read_rows(await _body(request))
            model = await _answered(call.model, rows, single)
        except RefusedError as refusal:
            self._record_refusal(call, refusal, [row.given for row in rows] or [refusal.given])
            headers = {"Retry-After": _RETRY_SECONDS} if refusal.http_status == 503 else None
            return _json({"request_id": str(call.request_id), "detail": refusal.detail}, refusal.http_status, headers)
        self._record(call, rows)
        self._count(rows, model)
        answers = [_answer(row) for row in rows]
        head = {"request_id": str(call.request_id), "model": model.identity()}
        return _json({**head, **answers[0]} if single else {**head, "predictions": answers}, 200)

    def _record(self, call: _Call, rows: Sequence[_Row]) -> None:
        known = call.columns()
        lines = []
        for number, row in enumerate(rows):
            price, low, high = row.prices or (None, None, None)
            lines.append(
                InferenceRow(
                    row_number=number,
                    status=row.status,
                    http_status=200,
                    input=row.given,
                    price=price,
                    price_low=low,
                    price_high=high,
                    warnings=row.warnings or None,
                    error=row.problems,
                    **known,
                )
            )
        self._log.add(lines)

    def _record_refusal(self, call: _Call, refusal: RefusedError, given: Sequence[Any]) -> None:
        known = call.columns()
        self._log.add(
            [
                InferenceRow(
                    row_number=number,
                    status=refusal.status,
                    http_status=refusal.http_status,
                    input=value,
                    error=refusal.detail,
                    **known,
                )
                for number, value in enumerate(given)
            ]
        )

    def _count(self, rows: Sequence[_Row], model: LoadedModel) -> None:
        priced = [row for row in rows if row.prices is not None]
        self._metrics.predictions.labels(model.version, "primary").inc(len(priced))
        for row in priced:
            assert row.prices is not None
            price, low, high = row.prices
            self._metrics.price.observe(price)
            self._metrics.interval_ratio.observe(high / low)
            for warning in row.warnings:
                self._metrics.input_warnings.labels(warning["field"], warning["kind"]).inc()


async def _body(request: Request) -> bytes:
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            message = f"the body is larger than {MAX_BODY_BYTES} bytes; send the rows in several calls"
            raise RefusedError(413, "invalid", [problem("body", message, allowed=f"{MAX_BODY_BYTES} bytes")], None)
        chunks.append(chunk)
    return b"".join(chunks)


def read_rows(body: bytes) -> tuple[list[_Row], bool]:
    """The rows of a request body, and whether it is a single property. Raises RefusedError if it is neither form."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        text = body[:2000].decode("utf-8", "replace")
        found = problem("body", f"the body is not JSON: {error}", text, "a JSON object", EXAMPLE)
        raise RefusedError(422, "invalid", [found], {"body": text}) from None
    if not (isinstance(content, dict) and "instances" in content):
        return [_row(content)], True
    instances = content["instances"]
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        count = f"{len(instances)} properties" if isinstance(instances, list) else type(instances).__name__
        allowed = f"a list of 1 to {MAX_INSTANCES} properties"
        found = problem("instances", f"instances must be {allowed}", count, allowed, [EXAMPLE])
        raise RefusedError(422, "invalid", [found], {"instances": count})
    return [_row(value) for value in instances], False


def _row(given: Any) -> _Row:
    parsed = parse_property(given)
    if isinstance(parsed, Property):
        return _Row(given, property=parsed)
    return _Row(given, problems=parsed, status="invalid")


async def _answered(model: LoadedModel | None, rows: Sequence[_Row], single: bool) -> LoadedModel:
    """Fill in the rows' answers and return the model that gave them. Raises RefusedError if the call has none."""
    if single and rows[0].problems:
        raise RefusedError(422, "invalid", rows[0].problems, rows[0].given)
    if model is None:
        message = "no model is loaded yet; /health/ready says why. The request is on record; try again later"
        raise RefusedError(503, "unavailable", [problem("model", message)], None)
    await _price(model, rows)
    if single and rows[0].problems:
        raise RefusedError(500, "error", rows[0].problems, rows[0].given)
    return model


async def _price(model: LoadedModel, rows: Sequence[_Row]) -> None:
    """Fill in prices, warnings and, for rows that the model cannot price, errors."""
    valid = [row for row in rows if row.property is not None]
    if not valid:
        return
    properties = [row.property for row in valid if row.property is not None]
    if len(properties) <= _ROWS_INLINE:
        priced = _predict_each(model, properties)
    else:
        priced = await run_in_threadpool(_predict_each, model, properties)
    for row, prices in zip(valid, priced, strict=True):
        if isinstance(prices, Exception):
            row.status = "error"
            row.problems = [problem("model", f"version {model.version} cannot price this row: {prices}"[:500])]
        else:
            row.prices = prices
            assert row.property is not None
            row.warnings = model.domain.warnings(row.property, row.given)


def _predict_each(model: LoadedModel, properties: Sequence[Property]) -> Sequence[tuple[float, float, float] | Exception]:
    try:
        return _tuples(model.predict(properties))
    except Exception as error:
        logger.exception("version %s does not price %d rows together", model.version, len(properties))
        if len(properties) == 1:
            return [error]
    answers: list[tuple[float, float, float] | Exception] = []
    for row in properties:
        try:
            answers.extend(_tuples(model.predict([row])))
        except Exception as error:
            answers.append(error)
    return answers


def _tuples(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[tuple[float, float, float]]:
    return [(price, low, high) for price, low, high in values.tolist()]


def _answer(row: _Row) -> dict[str, Any]:
    if row.prices is None:
        return {"price": None, "interval": None, "warnings": [], "error": {"detail": row.problems}}
    price, low, high = row.prices
    interval = {"low": low, "high": high, "level": INTERVAL_LEVEL}
    return {"price": price, "interval": interval, "warnings": row.warnings, "error": None}


def _json(content: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
