"""Steady: every user sends one request a second, as people and programs do. ``-u 200`` is 200 requests a second."""

import sys
from pathlib import Path

from locust import constant_throughput, task

sys.path.insert(0, str(Path(__file__).parent))

from client import Client, home


class SteadyUser(Client):
    """Mostly prices of one property, some of several, some reading, and now and then an explanation."""

    wait_time = constant_throughput(1)

    @task(90)
    def one(self):
        self.ask("one", json=home())

    @task(6)
    def several(self):
        self.ask("several", json={"instances": [home() for _ in range(20)]})

    @task(3)
    def model(self):
        self.ask("model", path="/model", method="GET")

    @task(1)
    def explain(self):
        self.ask("explain", path="/explain", json=home())
