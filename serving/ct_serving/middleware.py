"""Request ids and request metrics, as plain ASGI: nothing is copied and nothing is buffered."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ct_serving.metrics import Metrics

HEADER = b"x-request-id"
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"})


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
    """Gives every request an id (``scope["state"]["request_id"]``), echoes it, and counts and times the request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        echo = (HEADER, str(request_id).encode())
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), echo]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            handler = _handler(scope)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.requests.labels(handler, method, str(status)).inc()
            self._metrics.request_seconds.labels(handler, method).observe(time.perf_counter() - started)


def _handler(scope: Scope) -> str:
    """The path of the route, never the path of the request: labels stay bounded."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", None) or "other")
