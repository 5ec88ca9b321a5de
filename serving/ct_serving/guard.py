"""Who may ask, and how often: headers in, decision out, so that any route can ask it.

The rate is a token bucket for each client: it holds ``burst`` tokens and fills by ``rate`` a second. One request takes
one token, however many rows it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from ct_serving.keys import ApiKey, KeyRing
from ct_serving.schemas import problem

OPEN_PATHS = ("/health/", "/v2/health/", "/metrics", "/openapi.json", "/docs", "/redoc", "/admin/")
"""Paths without a key: for probes, Prometheus and readers. /admin has a token of its own."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What the guard decided: the client's name if it is known, or why it is refused."""

    client: str | None = None
    http_status: int = 200
    detail: tuple[dict[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the request must not go on."""
        return self.http_status != 200


Check = Callable[[str, Iterable[tuple[bytes, bytes]]], Admission]
"""Decides by the path and the headers (an ASGI scope's) of a request."""


class TokenBucket:
    """``burst`` tokens, refilled by ``rate`` a second."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token; 0 if there was one, else the seconds until there is."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


_NOBODY = Admission()


class Guard:
    """Checks the key and the rate of each request. For one event loop; it never waits."""

    def __init__(self, ring: KeyRing, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``rate`` requests a second with ``burst`` at once for a client without a rate of its own; a rate of 0: no limit."""
        self._ring = ring
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[tuple[str, float], TokenBucket] = {}

    @property
    def required(self) -> bool:
        """Whether a key is asked for; without keys there is no rate limit either."""
        return self._ring.required

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Admission:
        """Whether a request for ``path`` with an ASGI scope's ``headers`` may go on."""
        if not self._ring.required or path.startswith(OPEN_PATHS):
            return _NOBODY
        key = self._ring.owner(headers)
        if key is None:
            message = "no valid API key was sent; send it as X-API-Key: KEY or Authorization: Bearer KEY"
            return Admission(None, 401, (problem("key", message),), (("WWW-Authenticate", "Bearer"),))
        wait = self._wait(key)
        if wait > 0:
            message = f"{key.name} has sent too many requests; the next is welcome in {wait:.2f} s"
            return Admission(key.name, 429, (problem("key", message),), (("Retry-After", str(ceil(wait))),))
        return Admission(key.name)

    def _wait(self, key: ApiKey) -> float:
        rate = self._rate if key.rate is None else key.rate
        if rate <= 0:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get((key.name, rate))
        if bucket is None:
            # A rate of its own keeps the proportion of burst to rate.
            burst = self._burst if key.rate is None or self._rate <= 0 else self._burst * rate / self._rate
            bucket = TokenBucket(rate, max(1.0, burst), now)
            self._buckets[key.name, rate] = bucket
        return bucket.take(now)
