"""Requests, errors and latency of the API as Prometheus has read them.

Requests are counted from the counters themselves. ``increase()`` extrapolates from the samples within a window: what
happens between the last sample of one window and the first of the next is in neither, and a series that appears with its
first request has no increase. With a few requests an hour, as a new API has them, that loses most of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from ct_dashboard.operations import BUCKETS, Bucket, Traffic
from ct_dashboard.prometheus import NothingMeasuredError, Prometheus, Series

_ROUTES = 'handler=~"/predict|/explain"'
_COUNTED = f"sum by (instance, status) (http_requests_total{{{_ROUTES}}})"
# When the processes of the API began, at every moment at which they had been read. The gauge is one that the API always has
# and nobody else does.
_STARTED = "max by (instance) (process_start_time_seconds and on (instance) ct_inference_log_queue_size)"
_LEAST_SECONDS = 60
"""How far apart counters are compared at the least; Prometheus usually reads them every 15 to 60 s."""
_UNREAD_SECONDS = 120
"""How long a process may run before it is read for the first time and still count as one that has just begun."""
_PARTS = 12
"""How often they are compared within a bucket, as far as that allows: what a process counted before it ended is lost from
the last comparison on."""


def read_traffic(prometheus: Prometheus, hours: int, now: datetime) -> Traffic:
    """Requests of the routes that price in the ``hours`` before ``now``, in BUCKETS steps.

    Latencies are of the step that ends with a bucket, or of two minutes where the step is shorter: a rate needs several
    samples. Raises PrometheusError, NothingMeasuredError if the API was never read.
    """
    step = hours * 3600 // BUCKETS
    finer = max(_LEAST_SECONDS, step // _PARTS)
    start = now - timedelta(hours=hours)
    started = prometheus.series(_STARTED, start, now, finer)
    counted = prometheus.series(_COUNTED, start, now, finer)
    if not started and not counted:
        raise NothingMeasuredError(_STARTED)
    moments = [start + timedelta(seconds=seconds) for seconds in range(0, hours * 3600 + 1, finer)]
    counts: list[dict[str, float]] = [{} for _ in range(BUCKETS)]
    for status, moment, count in increases(counted, started, moments):
        # The increase up to a moment is that of the bucket before it.
        place = min(int((moment - start).total_seconds() - 1) // step, BUCKETS - 1)
        counts[place][status] = counts[place].get(status, 0.0) + count
    median, p95 = (_quantile(prometheus, share, start, now, step) for share in (0.5, 0.95))
    buckets = [
        Bucket(at, sum(count.values()), _share_of(count, "4"), _share_of(count, "5"), median.get(end), p95.get(end))
        for number, count in enumerate(counts)
        if sum(count.values())
        for at, end in [(start + timedelta(seconds=number * step), start + timedelta(seconds=(number + 1) * step))]
    ]
    return Traffic("prometheus", step, buckets, now)


def increases(
    counted: Iterable[Series], started: Iterable[Series], moments: Sequence[datetime]
) -> Iterable[tuple[str, datetime, float]]:
    """By how much counters grew up to each moment since the one before: status, moment, growth; growth of nought is left out.

    ``started`` are the times at which the processes began, in seconds. A process that began since the last moment had
    counted nothing then; nor had a counter that was not there while its process was being read. Where nobody knows (the
    first reading of an older process) the counter only sets a mark.
    """
    beginnings = {one.labels.get("instance", ""): one.values for one in started}
    for one in counted:
        known: Mapping[datetime, float] = beginnings.get(one.labels.get("instance", ""), {})
        last: float | None = one.values.get(moments[0])
        for before, moment in pairwise(moments):
            value = one.values.get(moment)
            if value is None:
                continue
            began = known.get(moment, 0.0) - before.timestamp()
            unread = last is None and (before in known or began > -_UNREAD_SECONDS)
            if began > 0 or unread or (last is not None and value < last):
                last = 0.0
            if last is not None and value > last:
                yield one.labels.get("status", ""), moment, value - last
            last = value


def _quantile(prometheus: Prometheus, share: float, start: datetime, now: datetime, step: int) -> Mapping[datetime, float]:
    rate = f"sum by (le) (rate(http_request_duration_seconds_bucket{{{_ROUTES}}}[{max(step, 2 * _LEAST_SECONDS)}s]))"
    return prometheus.range(f"histogram_quantile({share}, {rate})", start, now, step)


def _share_of(count: Mapping[str, float], family: str) -> float:
    return sum(value for status, value in count.items() if status.startswith(family))
