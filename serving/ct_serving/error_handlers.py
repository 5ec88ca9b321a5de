"""Every refusal in one shape, also those of the framework: unknown paths, wrong methods, query parameters."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.refusals import RouteError, refusal_at
from ct_serving.schemas import MAX_REIGNS, problem
from ct_serving.v2 import V2Error

_QUERY: dict[str, tuple[str, Any]] = {"language": ("en or es", "en"), "limit": (f"a whole number from 1 to {MAX_REIGNS}", 100)}
"""What is allowed for each query parameter, and an example."""


def add_refusals(app: FastAPI) -> None:
    """Have the application answer what its routes raise."""

    @app.exception_handler(RouteError)
    async def refused(request: Request, error: RouteError) -> Response:
        return _at(request, error.http_status, error.detail, error.headers)

    @app.exception_handler(V2Error)
    async def refused_in_v2(request: Request, error: V2Error) -> Response:
        return error.answer()

    @app.exception_handler(HTTPException)
    async def refused_by_framework(request: Request, error: HTTPException) -> Response:
        return _at(request, error.status_code, [problem(_field(error), str(error.detail))], error.headers)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return _at(request, 422, [_query_problem(details) for details in error.errors()], None)


def _at(request: Request, http_status: int, detail: list[dict[str, Any]], headers: Any) -> Response:
    return refusal_at(request.url.path, request.state.request_id, http_status, detail, headers)


def _field(error: HTTPException) -> str:
    return {404: "path", 405: "method"}.get(error.status_code, "request")


def _query_problem(details: Any) -> dict[str, Any]:
    name = str(details["loc"][-1])
    allowed, example = _QUERY.get(name, (None, None))
    return problem(name, details["msg"], details.get("input"), allowed, example)
