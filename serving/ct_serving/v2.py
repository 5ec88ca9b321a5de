"""The Open Inference Protocol (KServe V2) over HTTP, so that its clients work: a translation in front of ``/predict``.

Rows are priced, counted and kept on record by ``/predict``. The protocol knows no errors by row: one property that is not
valid refuses the call, and the refusal is kept on record, too. Errors are ``{"error": "..."}``, as the protocol wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.inference_log import InferenceLog
from ct_serving.inner import ask_predict
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.predicting import PredictRoute
from ct_serving.raw_table import InferenceRow
from ct_serving.refusals import RouteError, json_answer, read_body
from ct_serving.schemas import Property, parse_property
from ct_serving.usual import usual_values
from ct_serving.v2_tensors import (
    BINARY_HEADER,
    InferRequest,
    TensorError,
    input_tensors,
    output_tensors,
    read_request,
    write_answer,
)

PLATFORM = "mlflow_pyfunc"
EXTENSIONS = ("binary_tensor_data",)


class V2Error(Exception):
    """A refusal in the protocol's own shape."""

    def __init__(self, http_status: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.retry_seconds = retry_seconds

    def answer(self) -> Response:
        """The refusal as JSON."""
        headers = None if self.retry_seconds is None else {"Retry-After": str(self.retry_seconds)}
        return json_answer({"error": str(self)}, self.http_status, headers)


class V2Routes:
    """The routes' dependencies and their work."""

    def __init__(self, predict: PredictRoute, holder: ModelHolder, log: InferenceLog, model_name: str) -> None:
        self._predict = predict
        self._holder = holder
        self._log = log
        self._name = model_name

    def metadata(self, name: str, version: str | None) -> dict[str, Any]:
        """What the model takes and gives. Raises V2Error."""
        model = self._model(name, version)
        return {
            "name": name,
            "versions": [model.version],
            "platform": PLATFORM,
            "inputs": input_tensors(),
            "outputs": output_tensors(),
        }

    def ready(self, name: str, version: str | None) -> dict[str, Any]:
        """Whether the model answers. Raises V2Error."""
        self._model(name, version)
        return {"name": name, "ready": True}

    def _model(self, name: str, version: str | None) -> LoadedModel:
        if name != self._name:
            raise V2Error(404, f"there is no model {name[:100]!r}; the model is {self._name!r}")
        model = self._holder.current
        if model is None:
            raise V2Error(503, "no model is loaded yet; /health/ready says why", 5)
        if version not in (None, model.version):
            raise V2Error(404, f"version {str(version)[:100]!r} is not loaded; version {model.version} answers")
        return model

    async def infer(self, request: Request, name: str, version: str | None) -> Response:
        """Price the rows of the input tensors. Raises V2Error."""
        if name != self._name:
            raise V2Error(404, f"there is no model {name[:100]!r}; the model is {self._name!r}")
        received = datetime.now(UTC)
        try:
            body = await read_body(request.receive)
        except RouteError as error:
            await self._keep_refusal(request, received, [None], 413, error.detail)
            raise V2Error(413, str(error)) from error
        try:
            asked = read_request(body, _json_length(request))
        except TensorError as error:
            text = body[:2000].decode("utf-8", "replace")
            await self._keep_refusal(request, received, [{"body": text}], 400, [{"field": "body", "message": str(error)}])
            raise V2Error(400, str(error)) from error
        await self._refuse_invalid(request, received, asked)
        if version is not None:
            self._model(name, version)
        status, content, _ = await ask_predict(self._predict, request, orjson.dumps({"instances": asked.rows}))
        return self._answered(asked, version, status, content)

    async def _refuse_invalid(self, request: Request, received: datetime, asked: InferRequest) -> None:
        problems: list[dict[str, Any]] = []
        for number, row in enumerate(asked.rows):
            if usual_values(row) is not None:
                continue
            parsed = parse_property(row)
            if not isinstance(parsed, Property):
                problems += [{**one, "row": number} for one in parsed]
        if problems:
            await self._keep_refusal(request, received, asked.rows, 400, problems[:20])
            first = problems[0]
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            message = f"row {first['row']}, {first['field']}: {first['message']}; {first['allowed']}, e.g. {first['example']!r}"
            raise V2Error(400, message + more)

    def _answered(self, asked: InferRequest, version: str | None, status: int, content: Any) -> Response:
        if status != 200:
            raise V2Error(status, content["detail"][0]["message"], 5 if status == 503 else None)
        answered = content["model"]["version"]
        if version not in (None, answered):
            raise V2Error(409, f"version {version} was replaced by version {answered} while it was asked; nothing is answered")
        for number, row in enumerate(content["predictions"]):
            if row["error"] is not None:
                raise V2Error(500, f"row {number}: {row['error']['detail'][0]['message']}")
        head = {
            "model_name": self._name,
            "model_version": answered,
            "parameters": {"request_id": content["request_id"]},
        }
        body, length = write_answer(asked, content["predictions"], head)
        if length is None:
            return Response(body, media_type="application/json")
        return Response(body, headers={BINARY_HEADER: str(length)}, media_type="application/octet-stream")

    async def _keep_refusal(
        self, request: Request, received: datetime, given: Sequence[Any], http_status: int, detail: Sequence[dict[str, Any]]
    ) -> None:
        model = self._holder.current
        lines = [
            InferenceRow(
                request_id=request.state.request_id,
                row_number=number,
                received_at=received,
                answered_at=datetime.now(UTC),
                status="invalid",
                http_status=http_status,
                model_name=None if model is None else model.name,
                model_version=None if model is None else model.version,
                input=value,
                error=detail,
                client=request.state.client,
            )
            for number, value in enumerate(given)
        ]
        await self._log.keep(self._log.encoded(lines))


def _json_length(request: Request) -> int | None:
    text = request.headers.get(BINARY_HEADER)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise TensorError(f"{BINARY_HEADER} is not a number")
    return int(text)
