"""What surrounds every request, as plain ASGI: id, key and rate, size and time limit, metrics, access log.

Nothing is copied and nothing is buffered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any
from uuid import UUID, uuid4

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ct_serving.guard import Check
from ct_serving.logs import REQUEST, log_access
from ct_serving.metrics import Metrics
from ct_serving.refusals import refusal_at, too_large
from ct_serving.schemas import MAX_BODY_BYTES, problem

HEADER = b"x-request-id"
CLIENT_LEFT = 499
"""Counted for a client that left before its body had come."""
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})
# They read their own body up to the cap and keep what is beyond it on record, too.
_RECORDS_ITS_REFUSALS = frozenset({"/predict"})

logger = logging.getLogger(__name__)


def request_id_of(scope: Scope) -> UUID:
    """The client's X-Request-ID if it is a UUID, else a new one.

    A request that is sent again with its id is the same inference: RAW keeps the first answer.
    """
    for name, value in scope["headers"]:
        if name == HEADER:
            try:
                return UUID(value.decode("latin-1").strip())
            except ValueError:
                break
    return uuid4()


class RequestMiddleware:
    """Gives every request an id and a client (``scope["state"]``), and holds it to the limits.

    ``client`` is the name of the API key, never the key; without keys it is the address that the request came from.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, check: Check, seconds: float, access_log: bool = False) -> None:
        """A request that has no answer after ``seconds`` gets a 504; ``access_log``: a log line for every request."""
        self._app = app
        self._metrics = metrics
        self._check = check
        self._seconds = seconds
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(scope)
        admission = self._check(scope["path"], scope["headers"])
        address = scope.get("client")
        client = admission.client or (address[0] if address else None)
        scope.setdefault("state", {}).update(request_id=request_id, client=client)
        REQUEST.set((request_id, client))
        echo = (HEADER, str(request_id).encode())
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), echo]
            await send(message)

        try:
            if admission.refused:
                answer: Response | None = refusal_at(
                    scope["path"], request_id, admission.http_status, admission.detail, dict(admission.headers)
                )
            else:
                answer = await self._served(scope, receive, send_with_id, request_id)
            if answer is not None and not status:
                await answer(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_LEFT
        finally:
            self._account(scope, status or 500, time.perf_counter() - started)

    async def _served(self, scope: Scope, receive: Receive, send: Send, request_id: UUID) -> Response | None:
        """Have the application answer; an answer is returned in its place if it was not allowed to, or did not come to one."""
        length = _content_length(scope)
        if length is not None and length > MAX_BODY_BYTES and scope["path"] not in _RECORDS_ITS_REFUSALS:
            self._metrics.refused.labels("size").inc()
            return refusal_at(scope["path"], request_id, 413, too_large(), {"Connection": "close"})
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, send)
        except TimeoutError:
            if not limit.expired():
                return self._unforeseen(scope, request_id)
            self._metrics.refused.labels("time").inc()
            logger.error("no answer within %g s", self._seconds)  # noqa: TRY400
            message = f"there was no answer within {self._seconds:g} s; a prediction may be on record under its request id"
            return refusal_at(scope["path"], request_id, 504, [problem("time", message)], {"Retry-After": "5"})
        except ClientDisconnect:
            raise
        except Exception:
            return self._unforeseen(scope, request_id)
        return None

    @staticmethod
    def _unforeseen(scope: Scope, request_id: UUID) -> Response:
        logger.exception("an unforeseen error")
        message = f"an unforeseen error; the log has it under the request id {request_id}"
        return refusal_at(scope["path"], request_id, 500, [problem("server", message)])

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        handler = _handler(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.requests.labels(handler, method, str(status)).inc()
        self._metrics.request_seconds.labels(handler, method).observe(seconds)
        if self._access_log:
            log_access(method, handler, status, seconds)


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _handler(scope: Scope) -> str:
    """The path of the route, never the path of the request: labels stay bounded."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", None) or "other")
