"""Champion and challenger, data changes and quality on a real database, in every state."""

from __future__ import annotations

import pytest
import streamlit as st
from ct_dashboard import quality
from opening import NOWHERE, figures, open_page, words

pytestmark = pytest.mark.integration

PAGES = ("comparison", "data_changes", "quality", "operations")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.mark.parametrize("page", PAGES)
def test_without_a_database_each_page_says_so_and_offers_to_try_again(monkeypatch, page):
    app = open_page(monkeypatch, page, NOWHERE)
    assert "The database does not answer" in words(app)
    assert any(button.key.endswith(".retry") for button in app.button)


@pytest.mark.parametrize(
    ("page", "english", "spanish"),
    [
        ("comparison", "No challenger has been judged yet", "Aún no se ha juzgado ningún retador"),
        ("data_changes", "No batch has arrived yet", "Aún no ha llegado ningún lote"),
        ("quality", "No batch has been validated yet", "Aún no se ha validado ningún lote"),
        ("operations", "No request in this time", "Ninguna petición en este periodo"),
    ],
)
def test_with_an_empty_database_each_page_says_what_will_be_there(monkeypatch, dashboard_url, page, english, spanish):
    assert english in words(open_page(monkeypatch, page, dashboard_url))
    assert spanish in words(open_page(monkeypatch, page, dashboard_url, lang="es"))


def test_comparison_shows_every_gate_the_forest_and_how_both_models_err(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    app = open_page(monkeypatch, "comparison", dashboard_url, run="run-1")
    assert app.selectbox(key="comparison.run").value == "run-1"
    assert "3 of 3 criteria that apply are met." in words(app)
    gates = app.dataframe[0].value
    homes, mae = "Homes both in training and in the test rows", "MAE against the champion"
    assert list(gates["Name"]) == [homes, mae, f"{mae} in the worst slice"]
    assert list(gates["Value"]) == ["0", "−12.0%", "−2.0%"]
    assert list(gates["Threshold"]) == ["0", "−1.0%", "+2.0%"]
    overall, slices, errors, calibration, champion, challenger = figures(app)
    assert overall["data"][0]["x"] == [-0.12]
    assert slices["data"][0]["y"] == ["State: Hawaii"]
    assert slices["data"][1]["name"] == "worse"
    assert slices["data"][1]["y"] == ["New zip areas"]
    assert [trace["name"] for trace in errors["data"]] == ["Champion (version 1)", "Challenger (version 2)"]
    assert "Half of the homes are within: Champion (version 1): +1" in errors["alt"]
    assert all(0.7 < share <= 1 for trace in calibration["data"] for share in trace["y"])
    assert "v1" in champion["layout"]["title"]["text"]
    assert "v2" in challenger["layout"]["title"]["text"]


def test_comparison_says_why_the_newest_challenger_was_rejected(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    app = open_page(monkeypatch, "comparison", dashboard_url, lang="es")
    assert app.selectbox(key="comparison.run").value == "run-2"
    assert "No se promovió la versión 3" in app.error[0].value
    assert "Se cumplen 1 de los 2 criterios" in words(app)
    app.selectbox(key="comparison.run").select("run-0").run()
    assert app.query_params["run"] == "run-0"
    assert "este fue el primer modelo" in words(app)
    # A decision of an unknown run is said, and the newest is shown.
    assert "gone" in words(open_page(monkeypatch, "comparison", dashboard_url, run="gone"))


def test_data_changes_of_one_batch_and_of_several(monkeypatch, pipeline, dashboard_url):
    pipeline.first()
    app = open_page(monkeypatch, "data_changes", dashboard_url)
    assert "Changes are measured from the second batch on" in words(app)
    assert [figure["layout"]["title"]["text"] for figure in figures(app)] == ["Distribution of the prices in each batch"]
    st.cache_data.clear()
    pipeline.next = 10
    pipeline.all()
    app = open_page(monkeypatch, "data_changes", dashboard_url)
    drift, arrival, unseen, prices = figures(app)
    assert drift["data"][0]["y"] == ["Price", "Bathrooms", "Bedrooms"]
    assert drift["data"][0]["z"] == [[2], [1], [0]]
    assert "Price (batch 11): 0.610, act" in drift["alt"]
    assert arrival["data"][1]["y"] == [1.27]
    assert unseen["data"][0]["name"] == "state"
    assert prices["layout"]["xaxis"]["type"] == "log"
    app.segmented_control(key="data.measure").set_value("wasserstein").run()
    assert not app.exception
    assert app.query_params["measure"] == "wasserstein"


def test_quality_shows_failures_new_values_and_what_was_put_aside(monkeypatch, pipeline, dashboard_url):
    _, first = pipeline.batch()
    pipeline.quarantine(first, {"PRICE_BELOW_10000": "5", "BED_IMPLAUSIBLE": "99"})
    pipeline.batch(accepted=False)
    app = open_page(monkeypatch, "quality", dashboard_url)
    overview = app.dataframe[0].value
    assert list(overview["Result"]) == ["✗ refused", "✓ accepted"]
    assert list(overview["Expectations held"]) == ["1 of 2", "1 of 2"]
    assert "the batch was refused" in app.error[0].value
    assert "This batch has not been cleaned." in words(app)
    app.selectbox(key="quality.batch").select(str(first)).run()
    assert not app.exception
    assert app.query_params["batch"] == str(first)
    shown = words(app)
    assert "State: 1 new (Hawaii), in 40.0% of the rows" in shown
    assert r"Price below \$10,000: 1 (0.10% of the rows)" in shown
    expectations = app.dataframe[1].value
    assert list(expectations["Holds?"]) == ["✗ fails", "✓ holds"]
    assert expectations["Expectation"][0] == "A value from 0 to 20, in at least 99% of the rows"
    assert expectations["Examples"][0] == "99, 47"
    samples = app.dataframe[3].value
    assert list(samples["Found"]) == ["99", "5"]
    assert list(samples["Bedrooms"]) == ["99", "99"]
    assert len(app.get("download_button")) == 1
    for gone in ("77", "x", "9" * 30):
        said = words(open_page(monkeypatch, "quality", dashboard_url, batch=gone, lang="es"))
        assert f"No hay validación de un lote con el identificador {gone}." in said


def test_an_old_validation_is_found_by_its_address(monkeypatch, pipeline, dashboard_url):
    monkeypatch.setattr(quality, "MOST_VALIDATIONS", 1)
    _, first = pipeline.batch()
    pipeline.batch()
    app = open_page(monkeypatch, "quality", dashboard_url)
    assert list(app.dataframe[0].value["Batch"]) == ["1"]
    app = open_page(monkeypatch, "quality", dashboard_url, batch=str(first))
    assert list(app.dataframe[0].value["Batch"]) == ["1", "0"]
    assert app.selectbox(key="quality.batch").value == str(first)
