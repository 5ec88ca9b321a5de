"""Prometheus metrics of one application: requests by route, batches handed out, cursors, sizes."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ct_data_source.bodies import StoredBatch
from ct_data_source.cursors import Cursors

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The metrics of one application in a registry of their own, so that two applications in a process do not meet."""

    def __init__(self, batches: list[StoredBatch], cursors: Cursors) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests", "Requests by route, method and status.", ["handler", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time until the last byte was sent.",
            ["handler", "method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.batches = Counter("data_source_batches", "Batches handed out.", ["batch_number"], registry=self.registry)
        rows = Gauge("data_source_batch_rows", "Rows of each batch of the stream.", ["batch_number"], registry=self.registry)
        for batch in batches:
            rows.labels(str(batch.number)).set(batch.rows)
        moved = Gauge("data_source_cursors", "Groups (and days) that have a cursor.", registry=self.registry)
        moved.set_function(lambda: len(cursors.positions()))

    def handed_out(self, batch: StoredBatch) -> None:
        """Count one batch that leaves now."""
        self.batches.labels(str(batch.number)).inc()


class Measured:
    """ASGI middleware that counts and times requests by their route; unknown paths share one label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note its status and duration, also when the client hangs up."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            handler = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(handler, scope["method"], str(status)).inc()
            self.metrics.seconds.labels(handler, scope["method"]).observe(time.perf_counter() - started)
