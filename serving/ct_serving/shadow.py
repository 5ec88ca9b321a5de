"""The challenger in the shadow: it prices a copy of the requests, out of their way, and its prices are only recorded.

It has a thread of its own and at most a fifth of its time. What it cannot keep up with is left out and counted. Nothing
that goes wrong here reaches a client.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from datetime import UTC, datetime
from threading import Event, Thread
from typing import NamedTuple

import orjson

from ct_serving.inference_log import InferenceLog
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import priced_template
from ct_serving.usual import Values

logger = logging.getLogger(__name__)

MOST_WAITING = 2000
"""Rows that may wait for the challenger; more are left out."""
_ROWS = 128
# Of its time: it must not take the interpreter from the requests.
_SHARE = 0.2
_SHORTEST_REST = 0.02


class Copy(NamedTuple):
    """A row that was priced; ``given`` and ``received_at`` as `raw_table.priced_template` has them."""

    request_id: str
    row_number: int
    values: Values
    given: bytes
    received_at: bytes
    client: str | None


class Shadow:
    """Prices copies of requests with the model of ``holder``, while there is one."""

    def __init__(self, holder: ModelHolder, primary: ModelHolder, log: InferenceLog, metrics: Metrics) -> None:
        self._holder = holder
        self._primary = primary
        self._log = log
        self._metrics = metrics
        self._waiting: deque[Copy] = deque()
        self._more = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin to price what is offered."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what still waits is left out."""
        self._stopping.set()
        self._more.set()
        self._thread.join(5)

    @property
    def wanted(self) -> bool:
        """Whether there is a challenger to price anything."""
        return self._holder.current is not None

    def offer(self, copy: Copy) -> None:
        """Take a copy, or leave it out if too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self._metrics.shadow_left_out.inc()
            return
        self._waiting.append(copy)
        if not self._more.is_set():
            self._more.set()

    def _run(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while self._waiting and not self._stopping.is_set():
                started = time.perf_counter()
                copies = [self._waiting.popleft() for _ in range(min(_ROWS, len(self._waiting)))]
                model = self._model()
                if model is not None:
                    self._price(model, copies)
                spent = time.perf_counter() - started
                self._stopping.wait(max(_SHORTEST_REST, spent * (1 / _SHARE - 1)))
            if self._stopping.is_set():
                return

    def _model(self) -> LoadedModel | None:
        """The challenger, unless it is what answers by now: then there is nothing to compare."""
        model, primary = self._holder.current, self._primary.current
        return None if model is None or (primary is not None and primary.version == model.version) else model

    def _price(self, model: LoadedModel, copies: list[Copy]) -> None:
        try:
            prices = model.price([copy.values for copy in copies]).tolist()
        except Exception as error:
            self._metrics.shadow_failed.inc(len(copies))
            logger.warning("version %s in the shadow does not price %d rows: %r", model.version, len(copies), error)
            return
        if self._log.half_full:
            self._metrics.shadow_left_out.inc(len(copies))
            return
        template = priced_template(model.name, model.version, "shadow")
        now = datetime.now(UTC).isoformat().encode()
        self._log.add_encoded(
            [
                template
                % (copy.request_id.encode(), copy.row_number, copy.received_at, now, copy.given,
                   b"%a" % price, b"%a" % low, b"%a" % high, b"null", orjson.dumps(copy.client))
                for copy, (price, low, high) in zip(copies, prices, strict=True)
            ]
        )  # fmt: skip
        self._metrics.priced(model.version, "shadow", prices)
