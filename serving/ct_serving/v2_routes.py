"""Where the Open Inference Protocol is found."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ct_serving import v2_schemas
from ct_serving.model_holder import ModelHolder
from ct_serving.v2 import EXTENSIONS, V2Routes

_REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": v2_schemas.V2Refusal, "description": "There is no such model, or this version of it is not loaded."},
    503: {"model": v2_schemas.V2Refusal, "description": "No model is loaded yet."},
}
_REFUSED_INFERENCE: dict[int | str, dict[str, Any]] = {
    400: {"model": v2_schemas.V2Refusal, "description": "The tensors are not valid, or a property is not."},
    **_REFUSALS,
    409: {"model": v2_schemas.V2Refusal, "description": "The version was replaced while it was asked."},
    413: {"model": v2_schemas.V2Refusal, "description": "The body is too large."},
    500: {"model": v2_schemas.V2Refusal, "description": "The model cannot price a row."},
}
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": v2_schemas.ServerReady, "description": "No model is loaded yet."}}


def add_v2(app: FastAPI, routes: V2Routes, holder: ModelHolder) -> None:
    """Add the protocol's routes."""
    _add_server(app, holder)
    _add_model(app, routes)


def _add_server(app: FastAPI, holder: ModelHolder) -> None:
    @app.get("/v2", tags=["v2"], response_model=v2_schemas.ServerMetadata)
    async def server() -> Any:
        """What this server is."""
        return {"name": "continuous-training-serving", "version": app.version, "extensions": list(EXTENSIONS)}

    @app.get("/v2/health/live", tags=["v2"], response_model=v2_schemas.ServerLive)
    async def live() -> Any:
        """The process answers."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["v2"], response_model=v2_schemas.ServerReady, responses=_NOT_READY)
    async def ready() -> Any:
        """A model is loaded; ``/health/ready`` says more."""
        is_ready = holder.current is not None
        return JSONResponse({"live": True, "ready": is_ready}, 200 if is_ready else 503)


def _add_model(app: FastAPI, routes: V2Routes) -> None:
    model = "/v2/models/{name}"
    one = f"{model}/versions/{{version}}"

    @app.get(model, tags=["v2"], response_model=v2_schemas.V2ModelMetadata, responses=_REFUSALS)
    async def metadata(name: str) -> Any:
        """What the model takes and gives."""
        return routes.metadata(name, None)

    @app.get(one, tags=["v2"], response_model=v2_schemas.V2ModelMetadata, responses=_REFUSALS)
    async def version_metadata(name: str, version: str) -> Any:
        """The same, if this version is the one that answers."""
        return routes.metadata(name, version)

    @app.get(f"{model}/ready", tags=["v2"], response_model=v2_schemas.ModelReady, responses=_REFUSALS)
    async def model_ready(name: str) -> Any:
        """The model answers."""
        return routes.ready(name, None)

    @app.get(f"{one}/ready", tags=["v2"], response_model=v2_schemas.ModelReady, responses=_REFUSALS)
    async def version_ready(name: str, version: str) -> Any:
        """This version is the one that answers."""
        return routes.ready(name, version)

    @app.post(f"{model}/infer", tags=["v2"], response_model=v2_schemas.InferenceAnswer, responses=_REFUSED_INFERENCE)
    async def infer(request: Request, name: str) -> Any:
        """Prices for properties as tensors. Errors are by call: one property that is not valid refuses all."""
        return await routes.infer(request, name, None)

    @app.post(f"{one}/infer", tags=["v2"], response_model=v2_schemas.InferenceAnswer, responses=_REFUSED_INFERENCE)
    async def version_infer(request: Request, name: str, version: str) -> Any:
        """The same, by this version or not at all."""
        return await routes.infer(request, name, version)
