"""Malformed mix: half of what comes is wrong in some way, and must be refused as documented, quickly and alone.

The other half must get its prices as if nothing were the matter.
"""

import sys
from pathlib import Path

from locust import constant_throughput, task

sys.path.insert(0, str(Path(__file__).parent))

from client import Client, home

WRONG = (
    {"bed": -1}, {"bath": "two"}, {"zip_code": "ABC"}, {"house_size": 0}, {"prev_sold_date": "4 November"}, {"city": "x" * 101},
    {"acre_lot": True}, {"instances": []}, {"instances": 5},
)  # fmt: skip


class MalformedUser(Client):
    """One that cannot spell, among others that can."""

    wait_time = constant_throughput(2)

    @task(50)
    def right(self):
        self.ask("right", json=home())

    @task(20)
    def wrong_field(self):
        for wrong in WRONG:
            self.ask("wrong field", json={**home(), **wrong}, status=422)

    @task(8)
    def some_rows_wrong(self):
        self.ask("some rows wrong", json={"instances": [home(), {"bed": -1}, "no object", home()]})

    @task(8)
    def not_json(self):
        for body in (b"", b"{", b"bed=3&bath=2", b"\xff\xfe", b"[" * 5000):
            self.ask("not JSON", data=body, status=422)

    @task(4)
    def unknown_place(self):
        self.ask("unknown place", json={**home(), "zip_code": "99999", "city": "Nowhere", "no such field": 1})

    @task(3)
    def too_many(self):
        self.ask("too many", json={"instances": [{}] * 1001}, status=422)

    @task(3)
    def too_large(self):
        self.ask("too large", data=b" " * 4_000_001, status=413)

    @task(2)
    def wrong_way(self):
        self.ask("wrong method", method="GET", status=405)
        self.ask("wrong path", path="/predict/5", status=404)

    @task(2)
    def no_id(self):
        self.ask("id that is none", json=home(), headers={"X-Request-ID": "order 66"})
