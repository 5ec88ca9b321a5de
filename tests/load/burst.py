"""Burst: a calm of a twentieth of the users, then all of them at once, again and again.

``CT_LOAD_USERS`` (200) is the burst, ``CT_LOAD_CALM`` (20 s) and ``CT_LOAD_BURST`` (10 s) are how long each lasts.
Every user sends ten requests a second. ``--run-time`` ends it.
"""

import os
import sys
from pathlib import Path

from locust import LoadTestShape, constant_throughput, task

sys.path.insert(0, str(Path(__file__).parent))

from client import Client, home

USERS = int(os.environ.get("CT_LOAD_USERS", "200"))
CALM = float(os.environ.get("CT_LOAD_CALM", "20"))
BURST = float(os.environ.get("CT_LOAD_BURST", "10"))


class BurstUser(Client):
    """Prices of one property, as fast as a page that asks while somebody types."""

    wait_time = constant_throughput(10)

    @task
    def one(self):
        self.ask("one", json=home())


class Waves(LoadTestShape):
    """Calm and burst in turn."""

    use_common_options = True

    def tick(self):
        end = self.runner.environment.parsed_options.run_time if self.runner else None
        now = self.get_run_time()
        if end and now > end:
            return None
        users = USERS if now % (CALM + BURST) >= CALM else max(1, USERS // 20)
        return users, USERS
