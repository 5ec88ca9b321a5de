"""Each page with 50 versions and 100 batches of history, read afresh from PostgreSQL: below two seconds.

The rival is the same page with two batches: what the length of the history costs is the ratio.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

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
SECONDS = 2.0
FRESH = 5
"""Drawings of each page with nothing kept; the first one also builds what plotly and pandas keep for the process."""


def seconds(page: str) -> list[float]:
    """How long each of some fresh drawings of a page took."""
    taken = []
    for _ in range(FRESH):
        st.cache_data.clear()
        app = AppTest.from_function(_one_page, default_timeout=120)
        app.session_state["lang"] = "en"
        app.session_state["page"] = page
        began = time.perf_counter()
        app.run()
        taken.append(time.perf_counter() - began)
        assert not app.exception
        assert not app.error
    return taken


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
    taken: dict[int, dict[str, list[float]]] = {}
    for batches in (2, 100):
        name = f"bench_{batches}"
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        fill(postgres_server.url(name), batches)
        monkeypatch.setenv("CT_DATABASE_URL", postgres_server.url(name))
        taken[batches] = {page: seconds(page) for page in PAGES}
    print("\n| page | 2 batches | 100 batches | ratio | 100 batches, slowest |\n|---|---|---|---|---|")
    for page in PAGES:
        short, long = (sorted(taken[batches][page])[FRESH // 2] for batches in (2, 100))
        print(f"| {page} | {short:.2f} s | {long:.2f} s | {long / short:.2f} | {max(taken[100][page]):.2f} s |")
    assert max(max(taken[100][page]) for page in PAGES) < SECONDS
