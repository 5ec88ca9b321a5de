"""Questions to Prometheus' HTTP API, and its text format."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import httpx


class PrometheusError(Exception):
    """Prometheus does not answer, or not as it should."""


class Prometheus:
    """A client of one Prometheus server."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        self._client = httpx.Client(base_url=url, timeout=timeout, trust_env=False)

    def range(self, query: str, start: datetime, end: datetime, step: int) -> dict[datetime, float]:
        """The values of a query that has one series, by time, ``step`` seconds apart; what is no number is left out.

        Raises PrometheusError.
        """
        values: dict[str, str | float] = {"query": query, "start": start.timestamp(), "end": end.timestamp(), "step": step}
        try:
            answer = self._client.get("/api/v1/query_range", params=values)
            body: Any = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PrometheusError(str(error)) from error
        if not isinstance(body, dict) or body.get("status") != "success":
            raise PrometheusError(str(body.get("error") if isinstance(body, dict) else body)[:500])
        series = body["data"]["result"]
        points = series[0]["values"] if series else []
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
