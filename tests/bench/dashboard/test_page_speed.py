"""Each page with 50 versions and 100 batches of history, read afresh from PostgreSQL: below two seconds.

The rival is the same page with two batches: what the length of the history costs is the ratio. What is judged is the time of
the processors, of the page's process and of PostgreSQL's, because a machine that others share makes any page late.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from local.postgres import free_port

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "integration" / "dashboard"))

import written as pages
from filled import fill

pytestmark = pytest.mark.bench

PAGES = (
    "estimate", "batch", "history", "comparison", "metrics", "explainability", "data_changes", "quality", "operations",
)  # fmt: skip
REPORT = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "dashboard.md"
SECONDS = 2.0
FRESH = 5
"""Drawings of each page with nothing kept; the first one also builds what plotly and pandas keep for the process."""


@dataclass(frozen=True)
class Taken:
    """A fresh drawing of a page: seconds by the clock, and of the processors for the page and for PostgreSQL."""

    clock: float
    page: float
    database: float

    @property
    def work(self) -> float:
        """What both processes had to do."""
        return self.page + self.database


def seconds(page: str, postgres: psutil.Process) -> list[Taken]:
    """What each of some fresh drawings of a page took."""
    taken = []
    for _ in range(FRESH):
        st.cache_data.clear()
        app = AppTest.from_function(_one_page, default_timeout=120)
        app.session_state["lang"] = "en"
        app.session_state["page"] = page
        before, began = (_spent(postgres), time.process_time()), time.perf_counter()
        app.run()
        clock, page_time = time.perf_counter() - began, time.process_time() - before[1]
        taken.append(Taken(clock, page_time, _spent(postgres) - before[0]))
        assert not app.exception
        assert not app.error
    return taken


def _spent(postgres: psutil.Process) -> float:
    """Seconds of the processors that a server has used, with those of the connections that have ended."""
    time.sleep(0.05)
    used = postgres.cpu_times()
    return float(used.user + used.system + used.children_user + used.children_system)


def _one_page() -> None:
    import importlib

    import streamlit as st

    importlib.import_module(f"ct_dashboard.views.{st.session_state['page']}").show()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    with pages.serve("7", free_port(), tmp_path / "spool") as address:
        yield address


def test_no_page_takes_longer_than_two_seconds(monkeypatch, postgres_server, migrated_template, api):
    monkeypatch.setenv("CT_SERVING_URL", api)
    postgres = psutil.Process(int((postgres_server.data / "postmaster.pid").read_text().split()[0]))
    taken: dict[int, dict[str, list[Taken]]] = {}
    for batches in (2, 100):
        name = f"bench_{batches}"
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        fill(postgres_server.url(name), batches)
        monkeypatch.setenv("CT_DATABASE_URL", postgres_server.url(name))
        taken[batches] = {page: seconds(page, postgres) for page in PAGES}
    report(taken[2], taken[100])
    assert max(drawing.work for found in taken[100].values() for drawing in found) < SECONDS


def report(short: dict[str, list[Taken]], long: dict[str, list[Taken]]) -> None:
    """Print the table and keep it."""

    def line(page: str) -> str:
        few, many = (statistics.median(drawing.work for drawing in taken[page]) for taken in (short, long))
        database = statistics.median(drawing.database for drawing in long[page])
        clock = statistics.median(drawing.clock for drawing in long[page])
        slowest = max(drawing.work for drawing in long[page])
        return f"| {page} | {few:.2f} | {many:.2f} | {many / few:.2f} | {database:.2f} | {slowest:.2f} | {clock:.2f} |"

    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    text = f"""# The dashboard's pages

Written by `tests/bench/dashboard` (`make bench TESTS=tests/bench/dashboard`) on {datetime.now(UTC):%Y-%m-%d}; every number is
from that one run.

Each page is read afresh from PostgreSQL and drawn {FRESH} times by Streamlit's test runner, with nothing kept from the time
before. The history has 100 batches, 50 versions, 100,000 listings and 2,000 requests, with every signal, gate, slice and error
of each decision, and after each training a set of homes with the scores of 20 versions on 21 kinds of homes and the
explanations of 3 versions for 1,000 homes. The rival is the same page with 2 batches: the ratio is what the length of the
history costs.

| page | 2 batches, s | 100 batches, s | ratio | of which PostgreSQL, s | slowest drawing, s | by the clock, s |
|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(map(line, PAGES))}

Seconds are those of the processors, of the page's process and of PostgreSQL's together: medians, and the slowest drawing, whose
bar is {SECONDS:g} s. Batch estimates, which reads nothing, shows what the test runner itself takes. The last column is what
passed on the clock while others used the machine, too.

Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; load averages at
the end {loads}.
"""
    print(text)
    REPORT.write_text(text, encoding="utf-8")
