"""Questions to Prometheus' HTTP API, and its text format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx


class PrometheusError(Exception):
    """Prometheus does not answer, or not as it should."""


class NothingMeasuredError(PrometheusError):
    """Prometheus answers, and has never read what was asked for in that span of time."""


@dataclass(frozen=True)
class Series:
    """One series: its labels, and its values by time; what is no number is left out."""

    labels: Mapping[str, str]
    values: Mapping[datetime, float]


class Prometheus:
    """A client of one Prometheus server."""

    def __init__(self, url: str, timeout: float = 3.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def series(self, query: str, start: datetime, end: datetime, step: int) -> list[Series]:
        """Every series of a query at ``start``, ``step`` seconds later, and so on up to ``end``. Raises PrometheusError."""
        values: dict[str, str | float] = {"query": query, "start": start.timestamp(), "end": end.timestamp(), "step": step}
        try:
            answer = httpx.get(f"{self._url}/api/v1/query_range", params=values, timeout=self._timeout, trust_env=False)
            body: Any = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise PrometheusError(f"status {answer.status_code}, and no JSON") from error
        try:
            if body["status"] != "success":
                raise PrometheusError(str(body.get("error") or body)[:500])
            return [Series(dict(one["metric"]), _numbers(one["values"])) for one in body["data"]["result"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PrometheusError(f"status {answer.status_code}, and not the form of Prometheus' answers") from error

    def range(self, query: str, start: datetime, end: datetime, step: int) -> Mapping[datetime, float]:
        """The values of a query that has one series or none, by time, ``step`` seconds apart. Raises PrometheusError."""
        found = self.series(query, start, end, step)
        return found[0].values if found else {}


def _numbers(points: Any) -> dict[datetime, float]:
    found = {datetime.fromtimestamp(float(at), UTC): float(value) for at, value in points}
    return {at: value for at, value in found.items() if math.isfinite(value)}


def gauges(text: str) -> dict[str, float]:
    """The sum over all labels of each metric in Prometheus' text format, by name."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name = line.partition("{")[0].partition(" ")[0]
        try:
            value = float(line.rsplit(" ", 1)[-1])
        except ValueError:
            continue
        found[name] = found.get(name, 0.0) + value
    return found
