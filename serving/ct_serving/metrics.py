"""The API's metrics. Labels are bounded: no place, request or client is ever a label."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PRICES = (25e3, 50e3, 100e3, 150e3, 200e3, 300e3, 400e3, 500e3, 750e3, 1e6, 1.5e6, 2e6, 3e6, 5e6, 10e6)
_RATIOS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0)


class BatchHistogram(Collector):
    """A histogram without labels that takes many values at once, under one lock instead of two locks a value."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._lock = Lock()
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: Sequence[float]) -> None:
        """Count values; a value that equals a bound is within it."""
        places = [bisect_left(self._bounds, value) for value in values]
        with self._lock:
            for place in places:
                self._counts[place] += 1
            self._sum += sum(values)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family as it is now."""
        with self._lock:
            counts, total = list(accumulate(self._counts)), self._sum
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric([], list(zip(names, counts, strict=True)), total)
        yield family


class Metrics:
    """Every metric of one API process, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._info: dict[str, tuple[str, str, str, str]] = {}
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
            "ct_model_info",
            "1 for the model that answers, and for the one in its shadow.",
            ["model", "version", "alias", "run_id"],
            registry=registry,
        )
        self.model_loaded = Gauge(
            "ct_model_loaded_timestamp_seconds", "When the model that answers was loaded.", registry=registry
        )
        self.reloads = Counter(
            "ct_model_reload_total",
            "Tries to follow an alias, by result: loaded, failed, no_model, unavailable; by the role of its model.",
            ["result", "role"],
            registry=registry,
        )
        self.reload_seconds = Histogram(
            "ct_model_reload_duration_seconds",
            "Time to download, load and warm up a model.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=registry,
        )
        self.predictions = Counter("ct_predictions_total", "Prices given.", ["version", "role"], registry=registry)
        self.price = BatchHistogram("ct_prediction_price_usd", "Prices given, in dollars.", _PRICES, registry)
        ratio = "Upper over lower end of the interval."
        self.interval_ratio = BatchHistogram("ct_prediction_interval_ratio", ratio, _RATIOS, registry)
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
        self.shadow_left_out = Counter(
            "ct_shadow_left_out_total", "Rows that the challenger did not price, for want of time or room.", registry=registry
        )
        self.shadow_failed = Counter("ct_shadow_failed_total", "Rows that the challenger could not price.", registry=registry)
        self.not_on_record = Counter(
            "ct_inference_log_refused_answers_total",
            "Prices that were not given because their rows could not be made safe (durable mode).",
            registry=registry,
        )
        for result in ("loaded", "failed", "no_model", "unavailable"):
            self.reloads.labels(result, "primary")
        for reason in ("queue_full", "spool_full", "refused", "shutdown"):
            self.dropped.labels(reason)

    def priced(self, version: str, role: str, prices: Sequence[Sequence[float]]) -> None:
        """Count prices: rows of price, low and high end of the interval, in dollars."""
        self.predictions.labels(version, role).inc(len(prices))
        if role == "primary":
            self.price.observe([price for price, _, _ in prices])
            self.interval_ratio.observe([high / low for _, low, high in prices])

    def warned(self, warnings: Iterable[Mapping[str, str]]) -> None:
        """Count warnings that were given."""
        for (name, kind), count in Tally((warning["field"], warning["kind"]) for warning in warnings).items():
            self.input_warnings.labels(name, kind).inc(count)

    def answers_with(self, role: str, *, model: str, version: str, alias: str, run_id: str, loaded_at: float) -> None:
        """Say which model has the role from now on; ``loaded_at`` is a Unix time."""
        self.answers_no_more(role)
        self._info[role] = (model, version, alias, run_id)
        self.model_info.labels(*self._info[role]).set(1)
        if role == "primary":
            self.model_loaded.set(loaded_at)

    def answers_no_more(self, role: str) -> None:
        """Say that no model has the role."""
        if role in self._info:
            self.model_info.remove(*self._info.pop(role))
