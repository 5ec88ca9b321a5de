"""The pages as a person meets them, on a real database and the real API, in every state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from ct_contract import TryLaterError
from ct_dashboard import data
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.integration

APP = Path(__file__).resolve().parents[3] / "dashboard" / "ct_dashboard" / "app.py"
NOWHERE = "postgresql://nobody:x@127.0.0.1:9/none"
NO_API = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setenv("CT_PUBLIC_AIRFLOW_URL", "http://airflow.example")
    monkeypatch.setenv("CT_PUBLIC_MLFLOW_URL", "http://mlflow.example")


def open_app(
    monkeypatch: pytest.MonkeyPatch, database: str, api: str, *, language: str = "en", page: str | None = None
) -> AppTest:
    monkeypatch.setenv("CT_DATABASE_URL", database)
    monkeypatch.setenv("CT_SERVING_URL", api)
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params["lang"] = language
    if page is not None:
        from ct_dashboard.views import history

        monkeypatch.setenv("CT_TEST_PAGE", page)
        app = AppTest.from_function(_one_page, default_timeout=30)
        app.session_state["lang"] = language
        assert history
    return app.run()


def _one_page() -> None:
    import os

    from ct_dashboard.views import estimate, history

    {"estimate": estimate, "history": history}[os.environ["CT_TEST_PAGE"]].show()


def words(app: AppTest) -> str:
    kinds: list[Any] = [app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.info, app.warning]
    shown = [str(element.value) for kind in kinds for element in kind]
    return "\n".join([*shown, *(f"{metric.label}: {metric.value}" for metric in app.metric)])


def test_estimate_gives_price_range_version_and_request_id(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.first()
    app = open_app(monkeypatch, dashboard_url, start_api("7"))
    assert not app.exception
    assert "Model **version 7** answers" in words(app)
    assert app.selectbox(key="estimate.state").options == ["Hawaii", "Puerto Rico"]
    app.selectbox(key="estimate.state").select("Puerto Rico").run()
    assert app.selectbox(key="estimate.city.Puerto Rico").options == ["Adjuntas", "Aguada"]
    assert app.selectbox(key="estimate.zip_code.Puerto Rico.None").options == ["00601", "00602", "00603"]
    app.selectbox(key="estimate.city.Puerto Rico").select("Aguada").run()
    assert app.selectbox(key="estimate.zip_code.Puerto Rico.Aguada").options == ["00602"]
    app.number_input(key="estimate.house_size").set_value(1500)
    app.button(key="estimate.submit").click().run()
    assert not app.exception
    shown = words(app)
    assert "Estimated price: $300,000" in shown
    assert "90% range: $240,000 – $375,000" in shown
    assert "Model house-prices, version 7" in shown
    assert "Request id `" in shown
    assert "zip_code is not given" not in shown
    assert "Zip code is not given; the price is much less sure without it." in shown
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["data"][1]["text"] == ["$240,000", "$300,000", "$375,000"]


def test_estimate_in_spanish_keeps_the_answer_when_the_language_changes(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.first()
    app = open_app(monkeypatch, dashboard_url, start_api("7"))
    app.button(key="estimate.submit").click().run()
    app.segmented_control(key="lang").set_value("es").run()
    assert not app.exception
    shown = words(app)
    assert "¿Cuánto vale esta vivienda?" in shown
    assert "Precio estimado: US$ 360.000" in shown
    assert "Falta el dato Estado" in shown
    assert app.query_params["lang"] == "es"


def test_the_address_chooses_the_language(monkeypatch, dashboard_url):
    app = open_app(monkeypatch, dashboard_url, NO_API, language="es")
    assert not app.exception
    assert "¿Cuánto vale esta vivienda?" in words(app)
    assert app.segmented_control(key="lang").value == "es"
    assert "What is this home worth?" in words(open_app(monkeypatch, dashboard_url, NO_API, language="xx"))


def test_estimate_says_that_the_api_is_down(monkeypatch, pipeline, dashboard_url):
    pipeline.first()
    app = open_app(monkeypatch, dashboard_url, NO_API)
    assert not app.exception
    assert f"The API does not answer at {NO_API}" in words(app)
    app.button(key="estimate.submit").click().run()
    assert not app.exception
    assert len(app.error) == 2


def test_estimate_says_that_there_is_no_model(monkeypatch, dashboard_url, start_api):
    app = open_app(monkeypatch, dashboard_url, start_api(None))
    assert not app.exception
    assert "There is no model yet" in words(app)
    assert "No cleaned listings yet" in words(app)
    app.button(key="estimate.submit").click().run()
    assert [element.value for element in app.info].count(app.info[0].value) == 2


def test_estimate_works_while_the_database_is_down_and_shows_what_the_api_refuses(monkeypatch, start_api):
    app = open_app(monkeypatch, NOWHERE, start_api("7"))
    assert not app.exception
    assert "no lists of places" in words(app)
    app.text_input(key="estimate.zip_code.text").set_value("nowhere")
    app.button(key="estimate.submit").click().run()
    assert "**Zip code**: a zip code is a text of five digits or a number" in words(app)
    app.text_input(key="estimate.zip_code.text").set_value("00601")
    app.button(key="estimate.submit").click().run()
    assert "Estimated price: $360,000" in words(app)


def test_history_tells_what_happened_to_each_batch(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    app = open_app(monkeypatch, dashboard_url, NO_API, page="history")
    assert not app.exception
    shown = words(app)
    assert "In production: version 2" in shown
    assert "Batches: 3" in shown
    assert "Trained: 3 of 3" in shown
    assert "Promoted: 2 of 3" in shown
    table = app.dataframe[0].value
    assert list(table["Batch"]) == ["no batch", "2", "1", "0"]
    assert list(table["Validated?"]) == ["–", "✓ accepted", "✓ accepted", "✓ accepted"]
    assert list(table["MLflow run"]) == ["–", "mlflow-3", "mlflow-2", "mlflow-1"]
    assert list(table["Trained?"]) == ["– not trained", "✓ trained", "✓ trained", "✓ trained"]
    assert list(table["Promoted?"]) == ["–", "✗ rejected", "✓ promoted", "✓ promoted"]
    assert list(table["Change against the champion"]) == ["–", "−0.4% (−2.0% to +1.1%)", "−12.0% (−15.0% to −9.0%)", "–"]
    assert list(table["Rows"]) == ["–", "40", "2,000", "1,000"]
    assert "Hawaii" in table["Why"][1]
    assert "reported that all data were collected" in table["Why"][0] or "collected" in table["Why"][0]
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert [trace["name"] for trace in figure["data"]] == ["version 1", "version 2", "batches"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_deep_link_opens_the_whole_evidence(monkeypatch, pipeline, dashboard_url, language):
    from ct_decisions.reasons import render

    pipeline.all()
    monkeypatch.setenv("CT_DATABASE_URL", dashboard_url)
    monkeypatch.setenv("CT_TEST_PAGE", "history")
    app = AppTest.from_function(_one_page, default_timeout=30)
    app.session_state["lang"] = language
    app.query_params["run"] = "run-2"
    app.run()
    assert not app.exception
    run = next(run for run in data.read_history(dashboard_url, "house-prices").runs if run.key == "run-2")
    shown = words(app)
    assert render(run.retrain, language) in shown
    assert render(run.promotion, language) in shown
    assert ("Policy strict" if language == "en" else "Política strict") in shown
    signals, gates = app.dataframe[1].value, app.dataframe[2].value
    assert len(signals) == 1
    assert list(gates.iloc[:, 0]) == (["✓ passed", "✗ failed"] if language == "en" else ["✓ cumplido", "✗ no cumplido"])
    assert list(gates.iloc[1, 2:5]) == (
        ["−0.4%", "−1.0%", "−2.0% … +1.1%"] if language == "en" else ["−0,4 %", "−1,0 %", "−2,0 % … +1,1 %"]
    )
    addresses = [link.proto.url for link in app.get("link_button")]
    assert addresses == [
        "http://airflow.example/dags/houses/runs/run-2",
        "http://mlflow.example/#/runs/mlflow-3",
        "http://mlflow.example/#/models/house-prices/versions/3",
        "http://mlflow.example/#/models/house-prices/versions/2",
        f"comparison?run=run-2&lang={language}",
        f"explainability?version=3&against=2&lang={language}",
        f"quality?batch=3&lang={language}",
    ]
    assert len(app.get("download_button")) == 1


def test_history_with_nothing_one_batch_and_no_database(monkeypatch, pipeline, dashboard_url):
    app = open_app(monkeypatch, dashboard_url, NO_API, page="history")
    assert not app.exception
    assert "No batch has arrived yet" in words(app)
    pipeline.first()
    app.button(key="history.retry").click().run()
    assert not app.exception
    assert "One batch so far" in words(app)
    assert "In production: version 1" in words(app)
    assert not open_app(monkeypatch, NOWHERE, NO_API, page="history").exception
    st.cache_data.clear()
    app = open_app(monkeypatch, NOWHERE, NO_API, page="history", language="es")
    assert "La base de datos no responde" in words(app)


def test_history_while_a_run_is_under_way(monkeypatch, pipeline, dashboard_url):
    pipeline.batch()
    app = open_app(monkeypatch, dashboard_url, NO_API, page="history")
    assert not app.exception
    assert list(app.dataframe[0].value["Trained?"]) == ["… under way"]
    assert "No model has been promoted yet." in words(app)


def test_the_dashboards_role_reads_and_writes_nothing(dashboard_url, pipeline):
    import psycopg

    pipeline.first()
    assert data.read_places(dashboard_url).cities("Puerto Rico") == ["Adjuntas", "Aguada"]
    assert data.read_report(dashboard_url, 1) == "<h1>ok</h1>"
    with psycopg.connect(dashboard_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM clean.listings")
    with pytest.raises(TryLaterError):
        data.read_history(NOWHERE, "house-prices")
