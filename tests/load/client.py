"""What the profiles share: homes, the key, and what counts as a failure."""

from __future__ import annotations

import os
import random
from typing import Any

import gevent
from locust import FastHttpUser

# Imports take seconds on a busy machine, and --run-time would count them: its timer starts at the time that gevent last saw.
gevent.get_hub().loop.update_now()

PLACES = (("Puerto Rico", "Adjuntas", "00601"), ("California", "San Francisco", "94110"), ("Texas", "Houston", "77002"),
          ("New York", "Brooklyn", "11201"), ("Florida", "Miami", "33101"), ("Ohio", "Columbus", "43004"))  # fmt: skip


def home() -> dict[str, Any]:
    """A usual property; now and then a field is not known."""
    state, city, zip_code = random.choice(PLACES)
    size = round(random.lognormvariate(7.4, 0.4))
    found = {"status": random.choice(("for_sale", "sold")), "bed": random.randint(1, 6), "bath": random.randint(1, 4),
             "acre_lot": round(random.lognormvariate(-1.5, 1), 2), "state": state, "city": city, "zip_code": zip_code,
             "house_size": size, "prev_sold_date": random.choice((None, "2015-11-04", "2021-06-30")),
             "brokered_by": random.randint(1, 110_000)}  # fmt: skip
    if random.random() < 0.1:
        found[random.choice(("bed", "bath", "acre_lot", "house_size", "city"))] = None
    return found


class Client(FastHttpUser):
    """A client of the API. Any status but the expected one is a failure; so is an answer without its request id."""

    abstract = True
    network_timeout = 30.0
    connection_timeout = 10.0

    def on_start(self) -> None:
        key = os.environ.get("CT_API_KEY", "")
        self.headers = {"X-API-Key": key} if key else {}

    def ask(self, name: str, *, path: str = "/predict", method: str = "POST", status: int = 200, **request: Any) -> None:
        """Send one request; ``name`` is the line that it counts for."""
        headers = {**self.headers, **request.pop("headers", {})}
        with self.client.request(method, path, name=name, headers=headers, catch_response=True, **request) as answer:
            if answer.status_code != status:
                answer.failure(f"{answer.status_code} in place of {status}: {(answer.text or '')[:200]}")
            elif not answer.headers.get("X-Request-ID"):
                answer.failure("no X-Request-ID")
            else:
                answer.success()
