"""The FastAPI application: routes, start and stop."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ct_serving import schemas
from ct_serving.hot_route import HotRoute
from ct_serving.inference_log import InferenceLog
from ct_serving.metrics import Metrics
from ct_serving.middleware import RequestMiddleware
from ct_serving.model_holder import ModelHolder
from ct_serving.openapi import complete
from ct_serving.poller import Poller
from ct_serving.predicting import PredictRoute
from ct_serving.registry import MlflowRegistry, Registry
from ct_serving.settings import Settings
from ct_serving.shadow import Shadow

_REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": schemas.Refusal, "description": "The body is too large."},
    422: {"model": schemas.Refusal, "description": "The request is not valid; each problem names field, range and example."},
    500: {"model": schemas.Refusal, "description": "The model cannot price this property."},
    503: {"model": schemas.Refusal, "description": "No model is loaded yet."},
}


class Service:
    """The parts of one API process, and their start and stop."""

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.holder = ModelHolder()
        self.log = InferenceLog(settings, self.metrics)
        source = registry or MlflowRegistry(settings.tracking_uri, settings.model_name, settings.alias)
        self.poller = Poller(source, self.holder, self.metrics, settings.reload_seconds)
        shadowed = ModelHolder()
        self.shadow = Shadow(shadowed, self.holder, self.log, self.metrics)
        self.shadow_poller: Poller | None = None
        if settings.shadow_alias and registry is None:
            challenger = MlflowRegistry(settings.tracking_uri, settings.model_name, settings.shadow_alias)
            self.shadow_poller = Poller(challenger, shadowed, self.metrics, settings.reload_seconds, "shadow")

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Run the inference log and the poller while the application runs; neither can keep it from starting."""
        self.log.start()
        self.poller.start()
        self.shadow.start()
        if self.shadow_poller is not None:
            self.shadow_poller.start()
        try:
            yield
        finally:
            self.poller.stop()
            if self.shadow_poller is not None:
                self.shadow_poller.stop()
            await run_in_threadpool(self.shadow.stop)
            await run_in_threadpool(self.log.close)

    def degraded(self) -> list[dict[str, str]]:
        """What does not work as it should, for ``/health/ready``."""
        parts = [{"part": part, "detail": detail} for part, detail in dict(self.log.trouble).items()]
        look = self.poller.last
        if look.result in {"failed", "no_model", "unavailable"}:
            parts.append({"part": "registry" if look.result == "unavailable" else "model", "detail": look.detail})
        return parts


def create_app(settings: Settings, registry: Registry | None = None) -> FastAPI:
    """The application; ``registry`` replaces MLflow's."""
    service = Service(settings, registry)
    app = FastAPI(
        title="House prices",
        version="0.1.0",
        summary="Prices of properties with 90 % intervals, by the model that carries the alias.",
        lifespan=service.lifespan,
    )
    app.state.service = service
    _add_health(app, service)
    _add_model(app, service)
    work = PredictRoute(service.holder, service.log, service.metrics, settings, service.shadow)
    _add_predict(app, work)
    app.add_middleware(RequestMiddleware, metrics=service.metrics)
    app.add_middleware(HotRoute, work=work, metrics=service.metrics)
    app.openapi = complete(app)  # type: ignore[method-assign]
    return app


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health/live", tags=["health"], response_model=schemas.Liveness)
    async def live() -> Any:
        """The process answers; nothing else is asked."""
        return JSONResponse({"status": "live"})

    not_ready: dict[int | str, dict[str, Any]] = {503: {"model": schemas.Readiness, "description": "No model is loaded yet."}}

    @app.get("/health/ready", tags=["health"], response_model=schemas.Readiness, responses=not_ready)
    async def ready() -> Any:
        """A model is loaded. A database or registry that is away is degraded, and still ready."""
        model = service.holder.current
        body: dict[str, Any] = {"status": "ready" if model else "not ready", "reason": None}
        if model is None:
            body["reason"] = f"no model is loaded yet: {service.poller.last.detail}"
        body["model"] = None if model is None else model.identity()
        body["degraded"] = service.degraded()
        return JSONResponse(body, 200 if model else 503)

    @app.get("/metrics", tags=["health"], response_class=Response)
    def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _add_model(app: FastAPI, service: Service) -> None:
    @app.get("/model", tags=["model"], response_model=schemas.ModelDescription, responses={503: {"model": schemas.Refusal}})
    async def model(request: Request) -> Any:
        """The model that answers now: version, origin, inputs, what it has learned from."""
        loaded = service.holder.current
        if loaded is None:
            detail = [schemas.problem("model", f"no model is loaded yet: {service.poller.last.detail}")]
            return JSONResponse({"request_id": str(request.state.request_id), "detail": detail}, 503)
        return {
            **loaded.identity(),
            "loaded_at": loaded.loaded_at,
            "interval_level": schemas.INTERVAL_LEVEL,
            "inputs": list(loaded.inputs),
            "known_values": {name: len(values) for name, values in loaded.domain.known.items()},
            "tags": loaded.tags,
            "description": loaded.description,
        }

    refused: dict[int | str, dict[str, Any]] = {
        401: {"description": "The bearer token is missing."},
        403: {"description": "The bearer token is wrong."},
        404: {"description": "CT_ADMIN_TOKEN is not set."},
    }

    @app.post(
        "/admin/reload",
        tags=["model"],
        response_model=schemas.ReloadAnswer,
        responses=refused,
        dependencies=[Depends(_bearer(service.settings.admin_token))],
    )
    def reload() -> Any:
        """Look at the alias now; the answer comes when the model is swapped, or says why it was not."""
        done = service.poller.look(patient=False)
        current = service.holder.current
        return {"result": done.result, "detail": done.detail, "model": None if current is None else current.identity()}


def _bearer(token: str) -> Callable[..., None]:
    def check(authorization: Annotated[str | None, Header()] = None) -> None:
        if not token:
            raise HTTPException(404, "CT_ADMIN_TOKEN is not set, so there are no admin routes")
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401, "send Authorization: Bearer <CT_ADMIN_TOKEN>", {"WWW-Authenticate": "Bearer"})
        if not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise HTTPException(403, "the bearer token is wrong")

    return check


def _add_predict(app: FastAPI, work: PredictRoute) -> None:
    @app.post(
        "/predict",
        tags=["prices"],
        response_model=schemas.OnePrediction | schemas.Predictions,
        responses=_REFUSALS,
    )
    async def predict(request: Request) -> Any:
        """The price of one property, or of up to 1,000 as ``{"instances": [...]}``, in dollars with a 90 % interval.

        With ``instances``, a property that is not valid gets an ``error`` in its place and the others their prices.
        """
        return await work(request)
