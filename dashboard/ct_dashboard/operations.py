"""How the API is used: requests, errors and latency over time, the newest answers, and the real prices people gave."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ct_store.connection import connect

from ct_dashboard.listings import LOG_PRICE_HIGH, LOG_PRICE_LOW, PRICE_BINS

HOURS = (1, 24, 168)
"""The spans of time that a person can choose."""

BUCKETS = 60
MOST_ANSWERS = 5000
"""Answers and real prices that are looked at: the newest."""


@dataclass(frozen=True)
class Bucket:
    """Requests that began within ``step`` seconds from ``at``; latencies in seconds, None without requests."""

    at: datetime
    requests: float
    refused: float
    failed: float
    median: float | None
    p95: float | None


@dataclass(frozen=True)
class Traffic:
    """Requests over time, and where that was measured: ``raw`` or ``prometheus``."""

    source: str
    step: int
    buckets: Sequence[Bucket]
    until: datetime

    @property
    def since(self) -> datetime:
        """The begin of the whole span of time."""
        return self.until - timedelta(seconds=self.step * BUCKETS)

    @property
    def requests(self) -> float:
        """All requests."""
        return sum(bucket.requests for bucket in self.buckets)

    @property
    def failed_share(self) -> float | None:
        """The share that ended with a fault of the API (5xx); None without requests."""
        return sum(bucket.failed for bucket in self.buckets) / self.requests if self.requests else None

    @property
    def worst_p95(self) -> float | None:
        """The slowest bucket's 95th percentile, seconds."""
        return max((bucket.p95 for bucket in self.buckets if bucket.p95 is not None), default=None)


@dataclass(frozen=True)
class Feedback:
    """Real prices against answers: how many, the median of |ln(answer / price)|, the share inside the 90 % range."""

    count: int
    median_error: float
    inside: float


@dataclass(frozen=True)
class Answered:
    """The newest answers: how many, by version, and in bins of the price; and the real prices given."""

    count: int
    by_version: Mapping[str, int]
    price_counts: Sequence[int]
    feedback: Feedback | None


_TRAFFIC = """
WITH asked AS (
    SELECT request_id, min(received_at) AS at, max(http_status) AS status,
           extract(epoch FROM max(answered_at) - min(received_at))::float8 AS seconds
      FROM raw.inferences
     WHERE received_at >= now() - make_interval(hours => %(hours)s) AND role = 'primary'
     GROUP BY request_id
)
SELECT date_bin(make_interval(secs => %(step)s), at, timestamptz 'epoch') AS at, count(*)::float8 AS requests,
       (count(*) FILTER (WHERE status BETWEEN 400 AND 499))::float8 AS refused,
       (count(*) FILTER (WHERE status >= 500))::float8 AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
  FROM asked GROUP BY 1 ORDER BY 1
"""


def read_traffic(url: str, hours: int) -> Traffic:
    """Requests of the last hours as RAW has them, in BUCKETS steps. Raises TryLaterError if PostgreSQL is away."""
    step = hours * 3600 // BUCKETS
    with connect("ct_dashboard", url) as connection:
        rows = connection.execute(_TRAFFIC, {"hours": hours, "step": step}).fetchall()
    return Traffic("raw", step, [Bucket(**row) for row in rows], datetime.now(UTC))


def read_answered(url: str) -> Answered:
    """The newest MOST_ANSWERS priced rows and real prices. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        rows = connection.execute(
            f"""
            SELECT model_version, least(greatest(width_bucket(log(price), {LOG_PRICE_LOW}, {LOG_PRICE_HIGH}, {PRICE_BINS}), 1),
                                        {PRICE_BINS}) - 1 AS bin, count(*)::integer AS rows
              FROM (SELECT model_version, price FROM raw.inferences WHERE status = 'ok' AND role = 'primary' AND price > 0
                     ORDER BY received_at DESC LIMIT {MOST_ANSWERS}) AS newest
             GROUP BY 1, 2
            """.encode()
        ).fetchall()
        told = connection.execute(
            f"""
            SELECT DISTINCT ON (feedback.request_id, feedback.row_number)
                   abs(ln(price / actual_price)) AS error, actual_price BETWEEN price_low AND price_high AS inside
              FROM (SELECT * FROM raw.feedback ORDER BY feedback_id DESC LIMIT {MOST_ANSWERS}) AS feedback
              JOIN raw.inferences AS answer USING (request_id, row_number)
             WHERE answer.role = 'primary' AND price > 0
             ORDER BY feedback.request_id, feedback.row_number, feedback_id DESC
            """.encode()
        ).fetchall()
    by_version: dict[str, int] = {}
    counts = [0] * PRICE_BINS
    for row in rows:
        by_version[str(row["model_version"])] = by_version.get(str(row["model_version"]), 0) + row["rows"]
        counts[row["bin"]] += row["rows"]
    return Answered(sum(counts), by_version, counts, _feedback(told))


def _feedback(told: Sequence[Mapping[str, Any]]) -> Feedback | None:
    if not told:
        return None
    inside = [bool(row["inside"]) for row in told]
    return Feedback(len(told), statistics.median(row["error"] for row in told), sum(inside) / len(inside))
