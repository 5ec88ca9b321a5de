"""The FastAPI application: routes, start and stop."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ct_serving import schemas
from ct_serving.bounded import BoundedPool
from ct_serving.error_handlers import add_refusals
from ct_serving.explaining import ExplainRoute
from ct_serving.feedback import FeedbackRoute
from ct_serving.guard import Admission, Guard
from ct_serving.history import HistoryRoute, Language
from ct_serving.hot_route import HotRoute
from ct_serving.inference_log import InferenceLog
from ct_serving.keys import KeyRing
from ct_serving.metrics import Metrics
from ct_serving.middleware import RequestMiddleware
from ct_serving.model_holder import ModelHolder
from ct_serving.openapi import complete
from ct_serving.poller import Poller
from ct_serving.predicting import PredictRoute
from ct_serving.registry import MlflowRegistry, Registry
from ct_serving.route_database import Database
from ct_serving.settings import Settings
from ct_serving.shadow import Shadow
from ct_serving.v2 import V2Routes
from ct_serving.v2_routes import add_v2

logger = logging.getLogger(__name__)

_REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": schemas.Refusal, "description": "The body is too large."},
    422: {"model": schemas.Refusal, "description": "The request is not valid; each problem names field, range and example."},
    500: {"model": schemas.Refusal, "description": "The model cannot price this property."},
    503: {"model": schemas.Refusal, "description": "No model is loaded yet."},
}
_REFUSED_FEEDBACK: dict[int | str, dict[str, Any]] = {
    404: {"model": schemas.Refusal, "description": "The request id, or this row of it, is not on record."},
    413: _REFUSALS[413],
    422: _REFUSALS[422],
    503: {"model": schemas.Refusal, "description": "The database is away and nothing was kept."},
}
_REFUSED_EXPLANATION: dict[int | str, dict[str, Any]] = {
    **_REFUSALS,
    500: {"model": schemas.Refusal, "description": "The model cannot price or explain this, or its parts do not add up."},
    501: {"model": schemas.Refusal, "description": "The model that answers cannot be explained."},
    503: {"model": schemas.Refusal, "description": "No model is loaded yet, or too many explanations wait."},
}


class Service:
    """The parts of one API process, and their start and stop."""

    def __init__(self, settings: Settings, registry: Registry | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.holder = ModelHolder()
        self.log = InferenceLog(settings, self.metrics)
        self.guard = Guard(KeyRing(settings.api_keys, settings.api_keys_file), settings.rate_per_second, settings.rate_burst)
        self.database = Database(settings.database_url)
        self.explain_pool = BoundedPool("explain", settings.explain_threads, settings.explain_waiting)
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
        if not self.guard.required:
            logger.warning("no API keys are set: everybody who reaches this port may ask, without a limit (docs/serving.md)")
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
            self.explain_pool.close()
            self.database.close()
            await run_in_threadpool(self.log.close)

    def admit(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Admission:
        """What the guard says of a request; refusals are counted."""
        admission = self.guard.check(path, headers)
        if admission.refused:
            self.metrics.refused.labels("rate" if admission.http_status == 429 else "key").inc()
        return admission

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
    predict = PredictRoute(service.holder, service.log, service.metrics, settings, service.shadow)
    _add_health(app, service)
    _add_model(app, service)
    _add_predict(app, predict)
    _add_beside(app, service, predict)
    add_v2(app, V2Routes(predict, service.holder, service.log, settings.model_name), service.holder)
    add_refusals(app)
    limits: dict[str, Any] = {
        "metrics": service.metrics,
        "check": service.admit,
        "seconds": settings.request_seconds,
        "access_log": settings.access_log,
    }
    app.add_middleware(RequestMiddleware, **limits)
    app.add_middleware(HotRoute, work=predict, **limits)
    app.openapi = complete(app, service.guard.required)  # type: ignore[method-assign]
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

    history = HistoryRoute(service.database, service.settings.model_name)
    away: dict[int | str, dict[str, Any]] = {
        422: _REFUSALS[422],
        503: {"model": schemas.Refusal, "description": "The database is away."},
    }

    @app.get("/model/history", tags=["model"], response_model=schemas.ModelHistory, responses=away)
    async def model_history(
        language: Annotated[Language, Query(description="of the reasons")] = "en",
        limit: Annotated[int, Query(ge=1, le=schemas.MAX_REIGNS, description="the newest so many")] = 100,
    ) -> Any:
        """Which version was in production when, newest first, with the reasons why it was trained and put there."""
        return await history(language, limit)

    refused: dict[int | str, dict[str, Any]] = {
        401: {"model": schemas.Refusal, "description": "The bearer token is missing."},
        403: {"model": schemas.Refusal, "description": "The bearer token is wrong."},
        404: {"model": schemas.Refusal, "description": "CT_ADMIN_TOKEN is not set."},
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


def _add_beside(app: FastAPI, service: Service, predict: PredictRoute) -> None:
    explaining = ExplainRoute(predict, service.holder, service.explain_pool, service.metrics)
    giving = FeedbackRoute(service.database, service.settings, service.metrics)

    @app.post(
        "/explain",
        tags=["prices"],
        response_model=schemas.OneExplanation | schemas.Explanations,
        responses=_REFUSED_EXPLANATION,
    )
    async def explain(request: Request) -> Any:
        """A price and what it is made of: exact SHAP values in log units, as factors and as dollars.

        For one property, or up to 20 as ``{"instances": [...]}``. The dollars add up to price - base price. The price is an
        inference as of ``/predict``, and on record; with the request id of a price that was given, it is the same one.
        """
        return await explaining(request)

    @app.post("/feedback", tags=["prices"], response_model=schemas.FeedbackAnswer, responses=_REFUSED_FEEDBACK)
    async def feedback(request: Request) -> Any:
        """What a property was really worth, for a row that was priced.

        The newest for a row and kind counts, earlier ones stay on record; the same again adds nothing.
        """
        return await giving(request)
