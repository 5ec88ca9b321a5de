"""A real Prometheus reads the real services under load: every expression has data, or is listed with the reason."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1] / "dashboard")]

from expressions import expressions, listed, without_data  # noqa: E402
from opening import figures, open_page, words  # noqa: E402
from programs import TOOLS, wait_until  # noqa: E402
from watched import MONITORS, Watched, watched  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]

SECONDS = 150
"""How long an expression may take to have data: annotations need the next full minute."""


@pytest.fixture(scope="module")
def system(postgres_server, migrated_template, tmp_path_factory) -> Iterator[Watched]:
    for name in ("helm", "prometheus", "statsd_exporter"):
        if not (TOOLS / name).exists():
            pytest.skip(f"{name} is not built: make tools (needs Go)")
    with watched(postgres_server, migrated_template, tmp_path_factory.mktemp("watched")) as found:
        yield found


def test_every_target_is_up(system):
    wait_until(
        lambda: set(system.prometheus.targets()) == set(MONITORS) and not any(map(any, system.prometheus.targets().values())),
        30,
        lambda: str(system.prometheus.targets()),
    )


def test_every_rule_is_evaluated(system):
    rules = wait_until(
        lambda: (rules := system.prometheus.rules()) and all(rule["health"] != "unknown" for rule in rules) and rules,
        30,
        lambda: "rules are evaluated",
    )
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert len(rules) >= 30


def test_every_expression_has_data_or_is_listed_with_the_reason(system):
    known = listed("machine")
    wait_until(
        lambda: without_data(system.prometheus) <= set(known),
        SECONDS,
        lambda: f"data for {without_data(system.prometheus) - set(known)}",
    )
    assert set(known) == without_data(system.prometheus), "listed, and has data nevertheless"


def test_no_alert_fires_in_a_system_without_trouble(system):
    alerts = {one.where: one.text for one in expressions() if one.alert}
    assert len(alerts) >= 20
    assert {name: found for name, text in alerts.items() if (found := system.prometheus.now(text))} == {}


def test_a_promotion_is_marked_in_the_graphs(system):
    [text] = {one.text for one in expressions() if one.where.endswith(": Promotions")}
    marks = wait_until(lambda: system.prometheus.now(text), SECONDS, lambda: text)
    assert [mark["metric"] for mark in marks] == [{"model": "house-prices"}]


def test_the_version_that_answers_is_the_one_of_the_last_rollback(system):
    [series] = system.prometheus.now('max by (version) (ct_model_info{job="serving"})')
    assert series["metric"] == {"version": "1"}


def test_the_operations_page_shows_what_clients_sent(system, monkeypatch):
    """The page counts up to the last full minute; a scrape comes every two seconds."""
    wait_until(lambda: time.time() // 60 * 60 > system.loaded_until + 5, 90, lambda: "a full minute after the load")
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    monkeypatch.setenv("CT_PROMETHEUS_URL", system.prometheus.url)
    of_status = 'sum(http_requests_total{{job="serving", handler=~"/predict|/explain", status=~"{}"}})'.format
    answered, refused = system.prometheus.value(of_status("2..")), system.prometheus.value(of_status("4.."))
    # Locust leaves out what was under way when it stopped: at most one request of each of its users.
    assert 0 <= answered + refused - system.priced_routes <= system.users
    for hours in ("1", "24", "168"):
        app = open_page(monkeypatch, "operations", system.database_url, system.serving_url, hours=hours)
        shown = words(app)
        assert "Measured by Prometheus." in shown
        assert f"Requests: {answered + refused:,.0f}" in shown
        assert "Failures of the API (5xx): 0.00%" in shown
        volume, latency = figures(app)[:2]
        assert [sum(trace["y"]) for trace in volume["data"]] == [answered, refused, 0]
        assert all(0 < value < 30_000 for trace in latency["data"] for value in trace["y"])
