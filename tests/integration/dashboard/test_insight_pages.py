"""Metrics and Explainability as a person meets them, on a real database with the dashboard's rights, in every state."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
import streamlit as st
from evaluated import COLUMNS, Evaluations
from opening import NOWHERE, open_page, words
from psycopg.types.json import Jsonb
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    monkeypatch.setenv("CT_MODEL_NAME", "house-prices")


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def titled(app: AppTest, title: str) -> dict[str, Any]:
    return next(chart for chart in charts(app) if title in chart["layout"]["title"]["text"])


@pytest.fixture
def evaluations(pipeline: Any) -> Evaluations:
    return Evaluations(pipeline)


@pytest.mark.parametrize("page", ["metrics", "explainability"])
def test_the_pages_say_what_is_missing(monkeypatch, pipeline, dashboard_url, page):
    """Database down, nothing there yet; and nothing of another model."""
    app = open_page(monkeypatch, page, NOWHERE)
    assert "The database does not answer" in words(app)
    assert app.button
    app = open_page(monkeypatch, page, dashboard_url, lang="es")
    assert "Aún no se ha" in words(app)
    found = Evaluations(pipeline)
    found.three_versions()
    monkeypatch.setenv("CT_MODEL_NAME", "another")
    st.cache_data.clear()
    assert "yet" in words(open_page(monkeypatch, page, dashboard_url))


def test_metrics_shows_every_version_on_the_newest_homes(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, "metrics", dashboard_url)
    assert len(charts(app)) == 6
    mae = titled(app, "Mean absolute error")["data"][0]
    assert (mae["x"], mae["y"]) == (["v1", "v2", "v3"], [70_000, 50_000, 55_000])
    assert mae["error_y"]["array"] == [2000] * 3
    assert mae["marker"]["symbol"] == ["circle", "star", "circle-open"]
    table = app.dataframe[0].value
    assert list(table["Version"]) == ["3", "2", "1"]
    assert list(table["Status"]) == ["never promoted", "in production", "was in production"]
    assert table["Mean absolute error"][1] == "$50,000 ($48,000 – $52,000)"
    assert list(app.dataframe[1].value["Homes"]) == ["all homes", "Size: 1,200 to 1,800 sq ft", "State: Ohio", "Status: sold"]
    assert "900 homes of the hold-out in 20 zip codes" in words(app)


def test_metrics_of_an_earlier_moment_and_a_slice_have_an_address(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, "metrics", dashboard_url, batch="0", slice="state:Ohio", metric="coverage")
    assert titled(app, "Mean absolute error")["data"][0]["x"] == ["v1"]
    assert list(app.dataframe[0].value["Number of homes"]) == ["500"]
    assert "One version so far" in words(app)
    assert app.dataframe[1].value["v1"][0] == "90.0%"
    app.selectbox(key="metrics.set").select("1").run()
    assert app.query_params["batch"] == "1", "an address that names a choice goes on naming it"
    assert app.query_params["slice"] == "state:Ohio"
    app.selectbox(key="metrics.slice").select("status:sold").run()
    assert app.query_params["slice"] == "status:sold"
    assert "There are no scores from after batch 9" in words(open_page(monkeypatch, "metrics", dashboard_url, batch="9"))


def test_metrics_says_what_could_not_be_scored(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("only")
    evaluations.score("only", "1", 50_000, unsound=12)
    evaluations.score("only", "2", 0, problem="MODEL_DOES_NOT_LOAD")
    shown = words(open_page(monkeypatch, "metrics", dashboard_url, lang="es"))
    assert "La versión 1 no da un precio válido para 12" in shown
    assert "No se pudo medir la versión 2: sus archivos no se cargan." in shown


def test_explainability_compares_with_the_version_in_production(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, "explainability", dashboard_url)
    shown = words(app)
    assert "Version 3 against version 2" in shown
    assert "Version 3 differs from version 2 by more than chance: **Bathrooms** counts more" in shown
    bars = titled(app, "Weight of each column")["data"][0]
    assert sorted(bars["y"]) == ["Bathrooms", "Living area", "Location", "Status"]
    table = app.dataframe[0].value
    assert len(table) == 15
    # The typical price is 11% higher, and one or three bathrooms move it by 0.45 in log units.
    assert set(table["Moved by"]) == {"Bathrooms +57%, Typical price +11%, Location 0.0%"}
    assert set(table["Change"]) == {"+73%"}
    mover = charts(app)[-1]
    assert mover["data"][0]["y"] == ["Bathrooms", "Typical price"]


def test_a_version_compared_with_itself_shows_nothing_outside_the_band(monkeypatch, evaluations, dashboard_url):
    """The swap test, with noise that the training has measured as none at all."""
    evaluations.three_versions()
    with psycopg.connect(evaluations.pipeline.url) as connection:
        connection.execute("UPDATE audit.explanations SET seed_noise = %s", (Jsonb(dict.fromkeys(COLUMNS, 0.0)),))
    app = open_page(monkeypatch, "explainability", dashboard_url, version="3", against="3")
    shown = words(app)
    assert "compared with itself" in shown
    assert "no difference is larger than chance makes it" in shown
    assert "Both versions give these homes the same prices" in shown
    assert len(app.dataframe) == 0


def test_the_choices_are_in_the_address(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, "explainability", dashboard_url, version="2", against="3", column="bath", home="5|00605")
    assert "Version 2 against version 3" in words(app)
    assert "**Bathrooms** counts less" in words(app)
    assert "Effect of Bathrooms on the price" in titled(app, "Effect of Bath")["layout"]["title"]["text"]
    app.selectbox(key="explain.column").select("location").run()
    assert app.query_params["column"] == "location"
    assert titled(app, "Effect of Location")["data"][0]["y"] == ["Hawaii", "Ohio"]
    assert "Version 9 has no explanation" in words(open_page(monkeypatch, "explainability", dashboard_url, version="9"))


def test_one_version_alone_is_explained(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("first")
    evaluations.explain("first", "1")
    evaluations.score("first", "1", 60_000)
    app = open_page(monkeypatch, "explainability", dashboard_url, lang="es")
    assert "En qué se basa la versión 1" in words(app)
    assert "Aún no se ha explicado ninguna otra versión" in words(app)
    assert len(charts(app)) == 2


def test_a_version_without_an_explanation_says_so(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    evaluations.problem("second", "4", "NO_EXPLANATION")
    shown = words(open_page(monkeypatch, "explainability", dashboard_url))
    assert "Version 4 has no explanation: it does not say what its prices are made of." in shown


def test_the_band_is_a_constant_where_a_training_measured_none(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("first")
    evaluations.score("first", "1", 60_000)
    evaluations.explain("first", "1")
    evaluations.explain("first", "2", noise=False)
    assert "it is 1.7 points" in words(open_page(monkeypatch, "explainability", dashboard_url))
