"""Adaptive micro-batches: the single properties that wait at the same moment are priced with one call of the model.

A call costs the same fixed time for one row as for thirty. Nobody waits for company: a batch is what has arrived by the
end of one turn of the event loop, so that it grows with the load and is one row without it. Its rows go to the inference
log together, and in durable mode its answers go out together, once the log says that they are safe.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from ct_serving.inference_log import InferenceLog
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import priced_template
from ct_serving.schemas import INTERVAL_LEVEL
from ct_serving.settings import Settings
from ct_serving.shadow import Copy, Shadow
from ct_serving.usual import Values

logger = logging.getLogger(__name__)

MOST_ROWS = 256
"""The most rows of a batch; what is left is the next batch, after other work of the loop."""


class NotOnRecordError(Exception):
    """The row could not be made safe in time, and in durable mode such a price is not given."""


@dataclass(slots=True, eq=False)
class _Waiting:
    request_id: str
    values: Values
    body: bytes
    client: str | None
    received_at: datetime
    answer: asyncio.Future[bytes | None]


class _Priced(NamedTuple):
    """A batch with what its version made of it: rows of price, low and high end, the answers as JSON, all warnings."""

    version: str
    batch: list[_Waiting]
    prices: list[list[float]]
    answers: list[bytes]
    warnings: list[dict[str, str]]


class Batcher:
    """Prices single properties of one event loop, many at a time."""

    def __init__(self, holder: ModelHolder, log: InferenceLog, metrics: Metrics, settings: Settings, shadow: Shadow) -> None:
        self._holder = holder
        self._log = log
        self._metrics = metrics
        self._durable = settings.durable
        self._seconds = settings.durable_seconds
        self._shadow = shadow
        self._waiting: list[_Waiting] = []

    async def price(self, request_id: str, values: Values, body: bytes, client: str | None) -> bytes | None:
        """The JSON answer to one property of the usual form, on record; None if the model cannot price it in a batch.

        ``body`` is the property as it was sent, as JSON without NUL. Raises NotOnRecordError in durable mode.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._price, loop)
        waiting = _Waiting(request_id, values, body, client, datetime.now(UTC), loop.create_future())
        self._waiting.append(waiting)
        return await waiting.answer

    def _price(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
        if self._waiting:
            loop.call_soon(self._price, loop)
        model = self._holder.current
        assert model is not None, "a model is only ever replaced by another"
        try:
            prices = model.price([one.values for one in batch]).tolist()
            rows, answers, warned = self._written(model, batch, prices)
        except Exception:
            # One by one they get their own answers or errors.
            logger.exception("version %s does not price %d rows together", model.version, len(batch))
            for one in batch:
                _settle(one, None)
            return
        self._keep(loop, rows, _Priced(model.version, batch, prices, answers, warned))

    def _keep(self, loop: asyncio.AbstractEventLoop, rows: list[bytes], priced: _Priced) -> None:
        """Hand rows to the log, and give their answers: at once, or in durable mode when they are safe."""
        if not self._durable:
            self._log.add_encoded(rows)
            self._give(priced)
            return
        timer = loop.call_later(self._seconds, _refuse, priced.batch)

        def safe(kept: bool) -> None:
            timer.cancel()
            if not kept:
                _refuse(priced.batch)
            elif not all(one.answer.done() for one in priced.batch):
                self._give(priced)

        def told(kept: bool) -> None:
            loop.call_soon_threadsafe(safe, kept)

        self._log.add_encoded(rows, told)

    def _give(self, priced: _Priced) -> None:
        self._metrics.priced(priced.version, "primary", priced.prices)
        self._metrics.warned(priced.warnings)
        for one, answer in zip(priced.batch, priced.answers, strict=True):
            _settle(one, answer)

    def _written(
        self, model: LoadedModel, batch: list[_Waiting], prices: list[list[float]]
    ) -> tuple[list[bytes], list[bytes], list[dict[str, str]]]:
        """The rows for the log, the answers, and all the warnings of a batch."""
        template = priced_template(model.name, model.version, "primary")
        head = orjson.dumps(model.identity())
        answered_at = datetime.now(UTC).isoformat().encode()
        rows, answers, shadowed = [], [], self._shadow.wanted
        warned: list[dict[str, str]] = []
        for one, (price, low, high) in zip(batch, prices, strict=True):
            warnings = [] if model.domain.is_usual(one.values) else model.domain.warnings_of(one.values)
            found = orjson.dumps(warnings) if warnings else b"null"
            warned += warnings
            request_id = one.request_id.encode()
            received_at = one.received_at.isoformat().encode()
            row = (request_id, 0, received_at, answered_at, one.body, b"%a" % price, b"%a" % low, b"%a" % high, found)
            rows.append(template % (*row, orjson.dumps(one.client)))
            answers.append(
                b'{"request_id":"%b","model":%b,"price":%a,"interval":{"low":%a,"high":%a,"level":%a},"warnings":%b,"error":null}'
                % (request_id, head, price, low, high, INTERVAL_LEVEL, found if warnings else b"[]")
            )
            if shadowed:
                self._shadow.offer(Copy(one.request_id, 0, one.values, one.body, received_at, one.client))
        return rows, answers, warned


def _settle(one: _Waiting, answer: bytes | None) -> None:
    if not one.answer.done():
        one.answer.set_result(answer)


def _refuse(batch: list[_Waiting]) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(NotOnRecordError())
