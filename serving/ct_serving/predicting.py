"""POST /predict: from bytes to bytes. Each row has its own answer or error; every row goes to the inference log.

A single property of the usual form is priced together with its neighbours (batching.py); everything else is worked out
here, row by row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.batching import Batcher, NotOnRecordError
from ct_serving.inference_log import InferenceLog
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import InferenceRow, Status
from ct_serving.refusals import TooLargeError, read_body
from ct_serving.requests import Row, UnreadableError, read_rows
from ct_serving.schemas import INTERVAL_LEVEL, problem
from ct_serving.settings import Settings
from ct_serving.shadow import Copy, Shadow
from ct_serving.usual import usual_request

logger = logging.getLogger(__name__)

_LARGE_BYTES = 20_000
"""A body above it is worked on in a thread, so that the single properties do not wait for it."""
_RETRY = ((b"retry-after", b"5"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body and what else the headers say."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


class RefusedError(Exception):
    """The request as a whole has no answer: an HTTP status and the problems."""

    def __init__(self, http_status: int, status: Status, detail: list[dict[str, Any]], given: Any = None) -> None:
        super().__init__(detail[0]["message"])
        self.http_status = http_status
        self.status: Status = status
        self.detail = detail
        self.given = given


@dataclass(frozen=True, slots=True)
class Call:
    """What all rows of one request share: its id (a UUID), who sent it, the model that answers it, when it came."""

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

    def __init__(self, holder: ModelHolder, log: InferenceLog, metrics: Metrics, settings: Settings, shadow: Shadow) -> None:
        self._holder = holder
        self._log = log
        self._metrics = metrics
        self._shadow = shadow
        self._batcher = Batcher(holder, log, metrics, settings, shadow)

    async def __call__(self, request: Request) -> Response:
        """Answer one request of FastAPI's."""
        request_id: UUID = request.state.request_id
        client = getattr(request.state, "client", None) or (request.client.host if request.client else None)
        try:
            body = await read_body(request.receive)
        except TooLargeError as error:
            answer = await self.refuse(request_id, client, error)
        else:
            answer = await self.answer(request_id, body, client)
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        return Response(answer.body, answer.status, headers, media_type="application/json")

    async def answer(self, request_id: UUID, body: bytes, client: str | None) -> Answer:
        """Answer one body; the model is taken once, and the answer names the one that computed it."""
        if self._holder.current is not None and (values := usual_request(body)) is not None:
            try:
                given = await self._batcher.price(str(request_id), values, body, client)
            except NotOnRecordError:
                return self._not_on_record(request_id)
            if given is not None:
                return Answer(200, given)
        call = Call(request_id, client, self._holder.current)
        if len(body) > _LARGE_BYTES:
            answer, lines, answered = await run_in_threadpool(self._work, call, body)
        else:
            answer, lines, answered = self._work(call, body)
        if not await self._log.keep(lines) and answer.status == 200:
            return self._not_on_record(request_id)
        if answer.status == 200:
            self._count(call.model, answered)
        return answer

    async def refuse(self, request_id: UUID, client: str | None, error: TooLargeError) -> Answer:
        """The answer to a body that was not read to its end."""
        call = Call(request_id, client, self._holder.current)
        await self._log.keep(self._log.encoded(_refused_lines(call, RefusedError(413, "invalid", error.detail), [None])))
        return refusal(request_id, 413, error.detail)

    def _work(self, call: Call, body: bytes) -> tuple[Answer, list[bytes], list[Row]]:
        """The answer to a body, its encoded rows for the log, and the rows that were answered."""
        rows: list[Row] = []
        try:
            try:
                rows, single = read_rows(body)
            except UnreadableError as error:
                raise RefusedError(422, "invalid", error.detail, error.given) from None
            model = _answered(call.model, rows, single)
        except RefusedError as refused:
            given = [row.given for row in rows] or [refused.given]
            lines = self._log.encoded(_refused_lines(call, refused, given))
            return refusal(call.request_id, refused.http_status, refused.detail), lines, []
        lines = self._log.encoded(_lines(call, rows))
        self._shadowed(call, rows)
        answers = [_answer(row) for row in rows]
        head = {"request_id": str(call.request_id), "model": model.identity()}
        whole = {**head, **answers[0]} if single else {**head, "predictions": answers}
        return Answer(200, orjson.dumps(whole)), lines, rows

    def _count(self, model: LoadedModel | None, rows: Sequence[Row]) -> None:
        priced = [row for row in rows if row.prices is not None]
        if model is not None:
            self._metrics.priced(model.version, "primary", [row.prices for row in priced if row.prices is not None])
        self._metrics.warned(warning for row in priced for warning in row.warnings)

    def _shadowed(self, call: Call, rows: Sequence[Row]) -> None:
        if not self._shadow.wanted:
            return
        received_at = call.received_at.isoformat().encode()
        for number, row in enumerate(rows):
            if row.values is None or row.prices is None:
                continue
            given = orjson.dumps(row.given)
            if b"\\u0000" not in given:
                self._shadow.offer(Copy(str(call.request_id), number, row.values, given, received_at, call.client))

    def _not_on_record(self, request_id: UUID) -> Answer:
        self._metrics.not_on_record.inc()
        message = "the price could not be put on record in time, so it is not given; send the request again, with its id"
        return refusal(request_id, 503, [problem("inference_log", message)])


def _answered(model: LoadedModel | None, rows: Sequence[Row], single: bool) -> LoadedModel:
    """Fill in the rows' answers and return the model that gave them. Raises RefusedError if the call has none."""
    if single and rows[0].problems:
        raise RefusedError(422, "invalid", rows[0].problems, rows[0].given)
    if model is None:
        message = "no model is loaded yet; /health/ready says why. The request is on record; try again later"
        raise RefusedError(503, "unavailable", [problem("model", message)])
    _price(model, rows)
    if single and rows[0].problems:
        raise RefusedError(500, "error", rows[0].problems, rows[0].given)
    return model


def _price(model: LoadedModel, rows: Sequence[Row]) -> None:
    """Fill in prices, warnings and, for rows that the model cannot price, errors."""
    valid = [(row, row.values) for row in rows if row.values is not None]
    if not valid:
        return
    try:
        answers: list[Any] = model.price([values for _, values in valid]).tolist()
    except Exception:
        logger.exception("version %s does not price %d rows together", model.version, len(valid))
        answers = [_price_one(model, values) for _, values in valid]
    for (row, values), prices in zip(valid, answers, strict=True):
        if isinstance(prices, Exception):
            row.status = "error"
            row.problems = [problem("model", f"version {model.version} cannot price this row: {prices}"[:500])]
        else:
            row.prices = (prices[0], prices[1], prices[2])
            if not row.usual or not model.domain.is_usual(values):
                row.warnings = model.domain.warnings_of(values, row.given)


def _price_one(model: LoadedModel, values: Any) -> Any:
    try:
        return model.price([values]).tolist()[0]
    except Exception as error:
        return error


def _lines(call: Call, rows: Sequence[Row]) -> list[InferenceRow]:
    known = call.columns()
    lines = []
    for number, row in enumerate(rows):
        price, low, high = row.prices or (None, None, None)
        line = InferenceRow(
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
        lines.append(line)
    return lines


def _refused_lines(call: Call, refused: RefusedError, given: Sequence[Any]) -> list[InferenceRow]:
    known = call.columns()
    status, http_status, error = refused.status, refused.http_status, refused.detail
    return [
        InferenceRow(row_number=number, status=status, http_status=http_status, input=value, error=error, **known)
        for number, value in enumerate(given)
    ]


def refusal(
    request_id: UUID, http_status: int, detail: Sequence[dict[str, Any]], headers: Sequence[tuple[bytes, bytes]] = ()
) -> Answer:
    """The answer of a request that is refused; a 503 asks to try again."""
    body = orjson.dumps({"request_id": str(request_id), "detail": list(detail)})
    return Answer(http_status, body, [*headers, *(_RETRY if http_status == 503 else ())])


def _answer(row: Row) -> dict[str, Any]:
    if row.prices is None:
        return {"price": None, "interval": None, "warnings": [], "error": {"detail": row.problems}}
    price, low, high = row.prices
    interval = {"low": low, "high": high, "level": INTERVAL_LEVEL}
    return {"price": price, "interval": interval, "warnings": row.warnings, "error": None}
