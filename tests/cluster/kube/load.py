"""Requests that keep coming while something else happens, every answer kept."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from types import TracebackType
from typing import Any

HOME = {"bed": 3, "bath": 2, "acre_lot": 0.2, "house_size": 1600, "zip_code": 601, "state": "Puerto Rico", "city": "Adjuntas",
        "street": 1, "brokered_by": 1, "status": "for_sale"}  # fmt: skip


def ask(url: str, body: object = None) -> Any:
    """The JSON that a URL answers, by a connection of its own. Raises urllib.error.URLError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


class Load:
    """Threads that ask for the price of a home, one request after the other, while the block runs."""

    def __init__(self, url: str, *, threads: int, pause: float) -> None:
        self.answers: list[str] = []
        self._url, self._pause = url, pause
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._keep_asking, daemon=True) for _ in range(threads)]

    @property
    def failures(self) -> list[str]:
        """What was answered in place of a price."""
        return [answer for answer in self.answers if answer != "ok"]

    def _keep_asking(self) -> None:
        while not self._ended.is_set():
            try:
                price = ask(self._url, HOME)["price"]
                self.answers.append("ok" if price > 0 else f"price {price}")
            except Exception as error:
                self.answers.append(f"{time.strftime('%H:%M:%S')} {error!r}")
            time.sleep(self._pause)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
