"""Metrics and Explainability as a person meets them, on a real database with the dashboard's rights, in every state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import psycopg
import pytest
import streamlit as st
from psycopg.types.json import Jsonb
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.integration

NOWHERE = "postgresql://nobody:x@127.0.0.1:9/none"
COLUMNS = ["location", "house_size", "bath", "status"]
HOMES = 60
BATH = 0.3
"""What a bathroom more or less is worth to version 3 and not to version 2, in log units."""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    monkeypatch.setenv("CT_MODEL_NAME", "house-prices")


def open_page(monkeypatch: pytest.MonkeyPatch, database: str, page: str, *, language: str = "en", **query: str) -> AppTest:
    monkeypatch.setenv("CT_DATABASE_URL", database)
    monkeypatch.setenv("CT_TEST_PAGE", page)
    app = AppTest.from_function(_one_page, default_timeout=60)
    app.session_state["lang"] = language
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def _one_page() -> None:
    import os

    from ct_dashboard.views import explainability, metrics

    {"metrics": metrics, "explainability": explainability}[os.environ["CT_TEST_PAGE"]].show()


def words(app: AppTest) -> str:
    kinds: list[Any] = [app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.info, app.warning]
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def titled(app: AppTest, title: str) -> dict[str, Any]:
    return next(chart for chart in charts(app) if title in chart["layout"]["title"]["text"])


class Evaluations:
    """Writes what the evaluate step writes about versions."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        random = np.random.default_rng(0)
        self.homes = [
            {
                "property_key": f"{n}|{600 + n % 20:05d}", "price": 1e5 + 1000 * n, "status": ["sold", "for_sale"][n % 2],
                "bed": 3.0, "bath": float(1 + n % 4), "acre_lot": 0.2, "city": "Adjuntas", "state": ["Hawaii", "Ohio"][n % 2],
                "zip_code": f"{600 + n % 20:05d}", "house_size": 900.0 + 20 * n, "prev_sold_date": None, "brokered_by": 7.0,
            }
            for n in range(HOMES)
        ]  # fmt: skip
        self.values = random.normal(0, [0.4, 0.3, 0.05, 0.01], (HOMES, len(COLUMNS)))

    def fixed_set(self, digest: str) -> None:
        _, batch = self.pipeline.batch()
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.fixed_sets (set_digest, batch_id, row_count, area_count, background) "
                "VALUES (%s, %s, 900, 20, %s)",
                (digest, batch, Jsonb(self.homes)),
            )

    def score(self, digest: str, version: str, mae: float, *, problem: str | None = None, unsound: int = 0) -> None:
        numbers = {
            "mae": [mae, mae - 2000, mae + 2000], "rmse": [2 * mae, 1.9 * mae, 2.2 * mae], "mdape": [0.2, 0.19, 0.21],
            "within_20_percent": [0.5, 0.45, 0.55], "r2_log": [0.7, 0.68, 0.72], "coverage": [0.9, 0.88, 0.92],
        }  # fmt: skip
        parts = [("all", "", 900), ("state", "Ohio", 500), ("status", "sold", 400), ("house_size", "1200:1800", 300)]
        with psycopg.connect(self.pipeline.url) as connection:
            for dimension, value, rows in parts if problem is None else parts[:1]:
                connection.execute(
                    "INSERT INTO audit.version_scores VALUES (%s, 'house-prices', %s, %s, %s, %s, 20, %s, %s, %s)",
                    (digest, version, dimension, value, rows, unsound, Jsonb({} if problem else numbers), problem),
                )

    def explain(self, digest: str, version: str, *, bath: float = 0.0, base: float = 12.0, noise: bool = True) -> None:
        values = self.values.copy()
        values[:, 2] += bath * (np.arange(HOMES) % 4 - 1.5)
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.explanations VALUES (%s, 'house-prices', %s, %s, %s, %s, %s)",
                (digest, version, COLUMNS, base, values.tolist(), Jsonb(dict.fromkeys(COLUMNS, 0.005)) if noise else None),
            )

    def problem(self, digest: str, version: str, code: str) -> None:
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.explanations VALUES (%s, 'house-prices', %s, '{}', NULL, '{}', NULL, %s)",
                (digest, version, code),
            )

    def three_versions(self) -> None:
        """Two sets; version 2 is in production, version 3 was rejected and relies on bathrooms."""
        self.fixed_set("first")
        self.score("first", "1", 60_000)
        self.explain("first", "1")
        self.pipeline.event("run-0", "1", "promoted")
        self.fixed_set("second")
        for version, mae in (("1", 70_000), ("2", 50_000), ("3", 55_000)):
            self.score("second", version, mae)
        self.explain("second", "2")
        self.explain("second", "3", bath=BATH, base=12.1)
        self.pipeline.event("run-1", "2", "promoted")


@pytest.fixture
def evaluations(pipeline: Any) -> Evaluations:
    return Evaluations(pipeline)


@pytest.mark.parametrize("page", ["metrics", "explainability"])
def test_the_pages_say_what_is_missing(monkeypatch, pipeline, dashboard_url, page):
    """Database down, nothing there yet; and nothing of another model."""
    app = open_page(monkeypatch, NOWHERE, page)
    assert "The database does not answer" in words(app)
    assert app.button
    app = open_page(monkeypatch, dashboard_url, page, language="es")
    assert "Aún no se ha" in words(app)
    found = Evaluations(pipeline)
    found.three_versions()
    monkeypatch.setenv("CT_MODEL_NAME", "another")
    st.cache_data.clear()
    assert "yet" in words(open_page(monkeypatch, dashboard_url, page))


def test_metrics_shows_every_version_on_the_newest_homes(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, dashboard_url, "metrics")
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
    app = open_page(monkeypatch, dashboard_url, "metrics", batch="0", slice="state:Ohio", metric="coverage")
    assert titled(app, "Mean absolute error")["data"][0]["x"] == ["v1"]
    assert list(app.dataframe[0].value["Number of homes"]) == ["500"]
    assert "One version so far" in words(app)
    assert app.dataframe[1].value["v1"][0] == "90.0%"
    app.selectbox(key="metrics.set").select("1").run()
    assert app.query_params["batch"] == "1", "an address that names a choice goes on naming it"
    assert app.query_params["slice"] == "state:Ohio"
    app.selectbox(key="metrics.slice").select("status:sold").run()
    assert app.query_params["slice"] == "status:sold"
    assert "There are no scores from after batch 9" in words(open_page(monkeypatch, dashboard_url, "metrics", batch="9"))


def test_metrics_says_what_could_not_be_scored(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("only")
    evaluations.score("only", "1", 50_000, unsound=12)
    evaluations.score("only", "2", 0, problem="MODEL_DOES_NOT_LOAD")
    shown = words(open_page(monkeypatch, dashboard_url, "metrics", language="es"))
    assert "La versión 1 no da un precio válido para 12" in shown
    assert "No se pudo medir la versión 2: sus archivos no se cargan." in shown


def test_explainability_compares_with_the_version_in_production(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, dashboard_url, "explainability")
    shown = words(app)
    assert "Version 3 against version 2" in shown
    assert "Version 3 differs from version 2 by more than chance: **Bathrooms** counts more" in shown
    bars = titled(app, "Share of each column")["data"][0]
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
    app = open_page(monkeypatch, dashboard_url, "explainability", version="3", against="3")
    shown = words(app)
    assert "compared with itself" in shown
    assert "no difference is larger than chance makes it" in shown
    assert "Both versions give these homes the same prices" in shown
    assert len(app.dataframe) == 0


def test_the_choices_are_in_the_address(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    app = open_page(monkeypatch, dashboard_url, "explainability", version="2", against="3", column="bath", home="5|00605")
    assert "Version 2 against version 3" in words(app)
    assert "**Bathrooms** counts less" in words(app)
    assert "Effect of Bathrooms on the price" in titled(app, "Effect of")["layout"]["title"]["text"]
    app.selectbox(key="explain.column").select("location").run()
    assert app.query_params["column"] == "location"
    assert titled(app, "Effect of Location")["data"][0]["y"] == ["Hawaii", "Ohio"]
    assert "Version 9 has no explanation" in words(open_page(monkeypatch, dashboard_url, "explainability", version="9"))


def test_one_version_alone_is_explained(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("first")
    evaluations.explain("first", "1")
    evaluations.score("first", "1", 60_000)
    app = open_page(monkeypatch, dashboard_url, "explainability", language="es")
    assert "En qué se basa la versión 1" in words(app)
    assert "Aún no se ha explicado otra versión" in words(app)
    assert len(charts(app)) == 2


def test_a_version_without_an_explanation_says_so(monkeypatch, evaluations, dashboard_url):
    evaluations.three_versions()
    evaluations.problem("second", "4", "NO_EXPLANATION")
    shown = words(open_page(monkeypatch, dashboard_url, "explainability"))
    assert "Version 4 has no explanation: it does not say what its prices are made of." in shown


def test_the_band_is_a_constant_where_a_training_measured_none(monkeypatch, evaluations, dashboard_url):
    evaluations.fixed_set("first")
    evaluations.score("first", "1", 60_000)
    evaluations.explain("first", "1")
    evaluations.explain("first", "2", noise=False)
    assert "it is 1.7 points" in words(open_page(monkeypatch, dashboard_url, "explainability"))
