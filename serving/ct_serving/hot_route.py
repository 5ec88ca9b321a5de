"""``POST /predict`` in front of FastAPI: the same work as its route, without what lies between them.

Routing, request objects and the other middleware cost several times what a price costs. FastAPI keeps the route, so that
the OpenAPI document is complete, and answers it where this is not in front.
"""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from ct_serving.guard import Check
from ct_serving.logs import REQUEST, log_access
from ct_serving.metrics import Metrics
from ct_serving.middleware import CLIENT_LEFT, HEADER, request_id_of
from ct_serving.predicting import Answer, PredictRoute, refusal
from ct_serving.refusals import TooLargeError, read_body
from ct_serving.schemas import problem

PATH = "/predict"
_JSON = (b"content-type", b"application/json")

logger = logging.getLogger(__name__)


class HotRoute:
    """An ASGI middleware that answers ``POST /predict`` itself and hands on everything else."""

    def __init__(
        self,
        app: ASGIApp,
        work: PredictRoute,
        metrics: Metrics,
        check: Check | None = None,
        *,
        seconds: float = 30.0,
        access_log: bool = False,
    ) -> None:
        """``seconds`` is how long a body may take to come; the others are as in `middleware.RequestMiddleware`."""
        self._app = app
        self._seconds = seconds
        self._access_log = access_log
        self._refused = metrics.refused
        self._work = work
        self._check = check
        self._requests: Counter = metrics.requests
        self._duration: Histogram = metrics.request_seconds.labels(PATH, "POST")
        self._counts: dict[int, Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(scope)
        status = 500
        try:
            try:
                answer = await self._answer(scope, receive, request_id)
            except ClientDisconnect:
                status = CLIENT_LEFT
                return
            except Exception:
                logger.exception("request %s met an unforeseen error", request_id)
                message = f"an unforeseen error; the log has it under the request id {request_id}"
                answer = refusal(request_id, 500, [problem("server", message)])
            status = answer.status
            headers = [_JSON, (b"content-length", b"%d" % len(answer.body)), (HEADER, str(request_id).encode())]
            await send({"type": "http.response.start", "status": status, "headers": [*headers, *answer.headers]})
            await send({"type": "http.response.body", "body": answer.body})
        finally:
            self._count(status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, request_id: UUID) -> Answer:
        client: str | None = scope["client"][0] if scope["client"] else None
        if self._check is not None:
            admission = self._check(PATH, scope["headers"])
            if admission.refused:
                headers = [(name.lower().encode(), value.encode()) for name, value in admission.headers]
                return refusal(request_id, admission.http_status, admission.detail, headers)
            client = admission.client or client
        REQUEST.set((request_id, client))
        try:
            async with asyncio.timeout(self._seconds):
                body = await read_body(receive)
        except TooLargeError as error:
            self._refused.labels("size").inc()
            return await self._work.refuse(request_id, client, error)
        except TimeoutError:
            self._refused.labels("time").inc()
            message = f"the body did not come within {self._seconds:g} s; nothing was priced"
            return refusal(request_id, 504, [problem("time", message)], [(b"retry-after", b"5")])
        return await self._work.answer(request_id, body, client)

    def _count(self, status: int, seconds: float) -> None:
        count = self._counts.get(status)
        if count is None:
            count = self._counts[status] = self._requests.labels(PATH, "POST", str(status))
        count.inc()
        self._duration.observe(seconds)
        if self._access_log:
            log_access("POST", PATH, status, seconds)
