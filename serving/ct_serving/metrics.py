"""The API's metrics. Labels are bounded: no place, request or client is ever a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PRICES = (25e3, 50e3, 100e3, 150e3, 200e3, 300e3, 400e3, 500e3, 750e3, 1e6, 1.5e6, 2e6, 3e6, 5e6, 10e6)
_RATIOS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0)


class Metrics:
    """Every metric of one API process, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter("http_requests_total", "HTTP requests.", ["handler", "method", "status"], registry=registry)
        self.request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["handler", "method"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.model_info = Gauge(
            "ct_model_info", "1 for the model that answers.", ["model", "version", "alias", "run_id"], registry=registry
        )
        self.model_loaded = Gauge(
            "ct_model_loaded_timestamp_seconds", "When the model that answers was loaded.", registry=registry
        )
        self.reloads = Counter(
            "ct_model_reload_total",
            "Tries to follow the alias, by result: loaded, failed, no_model, unavailable.",
            ["result"],
            registry=registry,
        )
        self.reload_seconds = Histogram(
            "ct_model_reload_duration_seconds",
            "Time to download, load and warm up a model.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=registry,
        )
        self.predictions = Counter("ct_predictions_total", "Prices given.", ["version", "role"], registry=registry)
        self.price = Histogram("ct_prediction_price_usd", "Prices given, in dollars.", buckets=_PRICES, registry=registry)
        self.interval_ratio = Histogram(
            "ct_prediction_interval_ratio", "Upper over lower end of the interval.", buckets=_RATIOS, registry=registry
        )
        self.input_warnings = Counter(
            "ct_input_warnings_total", "Warnings given with a price.", ["field", "kind"], registry=registry
        )
        self.queue_size = Gauge(
            "ct_inference_log_queue_size", "Rows in memory that are neither in PostgreSQL nor in the spool.", registry=registry
        )
        self.spooled_rows = Gauge("ct_inference_log_spooled_rows", "Rows on disk that wait for PostgreSQL.", registry=registry)
        self.stored = Counter("ct_inference_log_stored_total", "Rows written to PostgreSQL.", registry=registry)
        self.dropped = Counter(
            "ct_inference_log_dropped_total",
            "Rows lost, by reason: queue_full, spool_full, refused, shutdown.",
            ["reason"],
            registry=registry,
        )
        self.explanations = Counter(
            "ct_explanations_total",
            "Rows that were to be explained, by result: ok, unpriced, not_additive, failed, busy.",
            ["result"],
            registry=registry,
        )
        self.explain_seconds = Histogram(
            "ct_explanation_duration_seconds", "Time to explain the rows of a call.", buckets=_LATENCY, registry=registry
        )
        self.refused = Counter(
            "ct_requests_refused_total",
            "Requests that got no further than key, rate, size or time, by reason: key, rate, size, time.",
            ["reason"],
            registry=registry,
        )
        self.feedback = Counter(
            "ct_feedback_total",
            "Real prices that were given, by result: stored, unchanged, unknown, unavailable.",
            ["result"],
            registry=registry,
        )
        self.feedback_error = Histogram(
            "ct_feedback_abs_log_error",
            "Absolute difference of the logarithms of real and predicted price.",
            buckets=(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0),
            registry=registry,
        )
        for result in ("ok", "unpriced", "not_additive", "failed", "busy"):
            self.explanations.labels(result)
        for reason in ("key", "rate", "size", "time"):
            self.refused.labels(reason)
        for result in ("stored", "unchanged", "unknown", "unavailable"):
            self.feedback.labels(result)
        for result in ("loaded", "failed", "no_model", "unavailable"):
            self.reloads.labels(result)
        for reason in ("queue_full", "spool_full", "refused", "shutdown"):
            self.dropped.labels(reason)

    def answers_with(self, *, model: str, version: str, alias: str, run_id: str, loaded_at: float) -> None:
        """Say which model answers from now on; ``loaded_at`` is a Unix time."""
        self.model_info.clear()
        self.model_info.labels(model, version, alias, run_id).set(1)
        self.model_loaded.set(loaded_at)
