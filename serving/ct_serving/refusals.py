"""How a route says no: an HTTP status and problems that name field, range and example, in the shape of ``Refusal``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive

from ct_serving.schemas import MAX_BODY_BYTES, problem

Headers = Mapping[str, str]


class RouteError(Exception):
    """A request that has no answer: the HTTP status, the problems (``Problem`` dictionaries) and further headers."""

    def __init__(self, http_status: int, detail: Sequence[dict[str, Any]], headers: Headers | None = None) -> None:
        super().__init__(detail[0]["message"])
        self.http_status = http_status
        self.detail = list(detail)
        self.headers = headers


class TooLargeError(RouteError):
    """A body is larger than MAX_BODY_BYTES."""

    def __init__(self) -> None:
        super().__init__(413, too_large())


def try_later(field: str, message: str, seconds: int) -> RouteError:
    """A 503 with Retry-After, in seconds."""
    return RouteError(503, [problem(field, message)], {"Retry-After": str(seconds)})


def refusal(request_id: UUID, http_status: int, detail: Sequence[dict[str, Any]], headers: Headers | None = None) -> Response:
    """The answer of a request that is refused."""
    return json_answer({"request_id": str(request_id), "detail": list(detail)}, http_status, headers)


def refusal_at(
    path: str, request_id: UUID, http_status: int, detail: Sequence[dict[str, Any]], headers: Headers | None = None
) -> Response:
    """The same, in the shape of the path's protocol."""
    if path.startswith("/v2"):
        return json_answer({"error": detail[0]["message"]}, http_status, headers)
    return refusal(request_id, http_status, detail, headers)


def json_answer(content: Any, http_status: int = 200, headers: Headers | None = None) -> Response:
    """``content`` as JSON."""
    return Response(orjson.dumps(content), http_status, dict(headers or {}), media_type="application/json")


def too_large() -> list[dict[str, Any]]:
    """The problem of a body beyond MAX_BODY_BYTES."""
    message = f"the body is larger than {MAX_BODY_BYTES} bytes; send the rows in several calls"
    return [problem("body", message, allowed=f"{MAX_BODY_BYTES} bytes")]


async def read_body(receive: Receive) -> bytes:
    """The body of an ASGI request. Raises TooLargeError as soon as it is too large, ClientDisconnect if it does not end."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise TooLargeError
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def read_json(body: bytes, example: Any) -> Any:
    """A body as JSON. Raises RouteError (422) with ``example`` if it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        given = body[:200].decode("utf-8", "replace")
        raise RouteError(422, [problem("body", f"the body is not JSON: {error}", given, "a JSON object", example)]) from None
