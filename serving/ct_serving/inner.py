"""A route that needs prices asks ``/predict`` inside of this process: one way to price, to count and to keep on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

Predict = Callable[[Request], Awaitable[Response]]


async def ask_predict(predict: Predict, request: Request, body: bytes) -> tuple[int, Any, Response]:
    """The status, content and answer of ``/predict`` to ``body`` under the request id and client of ``request``."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [
        (name, value) for name, value in request.scope["headers"] if name not in (b"content-length", b"transfer-encoding")
    ]
    headers += [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    answer = await predict(Request({**request.scope, "path": "/predict", "headers": headers}, receive))
    return answer.status_code, orjson.loads(bytes(answer.body)), answer
