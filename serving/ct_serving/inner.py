"""A route that needs prices asks ``/predict`` inside of this process: one way to price, to count and to keep on record."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from ct_serving.predicting import PredictRoute


async def ask_predict(predict: PredictRoute, request: Request, body: bytes) -> tuple[int, Any, dict[str, str]]:
    """The status, content and headers of ``/predict``'s answer to ``body`` under the request id and client of ``request``."""
    answer = await predict.answer(request.state.request_id, body, request.state.client)
    return answer.status, orjson.loads(answer.body), {name.decode(): value.decode() for name, value in answer.headers}
