"""What stands below an estimate, and estimates by file: the real API and a real database."""

from __future__ import annotations

import importlib.util
import io

import pandas as pd
import psycopg
import pytest
import streamlit as st
from ct_dashboard import batch, listings
from ct_dashboard.api import Api, ApiDownError, UnsupportedError
from ct_serving import schemas
from opening import NO_API, NOWHERE, figures, open_page, words

pytestmark = pytest.mark.integration

EXPLAINS = importlib.util.find_spec("ct_serving.explaining") is not None
needs_routes = pytest.mark.skipif(not EXPLAINS, reason="this serving has no /explain and no /feedback")


@pytest.fixture(autouse=True)
def _fresh() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


def homes(url: str, rows: list[tuple[str, str, float, float]]) -> None:
    """Listings of a batch: property key, zip code, size, price."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for number, (key, zip_code, size, price) in enumerate(rows, start=1):
            cursor.execute(
                "INSERT INTO clean.listings (batch_id, row_number, property_key, bucket, split, relisted, status, price, bed, "
                "bath, acre_lot, street, city, state, zip_code, house_size) "
                "VALUES (1, %s, %s, 1, 'train', false, 'sold', %s, 3, 2, 0.2, 1, 'Hilo', 'Hawaii', %s, %s)",
                (number, key, price, zip_code, size),
            )


def test_comparable_listings_are_the_nearest_of_the_zip_area_each_home_once(database_url, dashboard_url):
    rows = [
        ("a", "96720", 1500, 1e5), ("a", "96720", 1500, 2e5), ("b", "96799", 1510, 3e5), ("c", "96701", 4000, 9e5),
        ("d", "96720", 1800, 4e5), ("e", "96801", 1500, 5e5), ("f", "96700", 900, 6e5), ("g", "96710", 700, 7e5),
    ]  # fmt: skip
    homes(database_url, rows)
    home = {"zip_code": "96720", "house_size": 1500, "bed": 3, "bath": None, "status": "sold"}
    found = listings.read_comparables(dashboard_url, home)
    assert [row["property_key"] for row in found] == ["a", "b", "d", "f", "g"]
    assert found[0]["price"] == 2e5, "the newest listing of a home"
    assert listings.read_comparables(dashboard_url, {"zip_code": None}) == []
    assert listings.read_comparables(dashboard_url, {"zip_code": "x"}) == []
    assert listings.read_comparables(dashboard_url, {"zip_code": "601"}) == []


def test_comparable_listings_are_found_by_the_index(database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO clean.listings (batch_id, row_number, property_key, bucket, split, relisted, status, price, street, "
            "state, zip_code) SELECT 1, n, n, 1, 'train', false, 'sold', 1, 1, 's', lpad(n::text, 5, '0') "
            "FROM generate_series(1, 50000) AS n"
        )
        connection.execute("ANALYZE clean.listings")
        plan = connection.execute("EXPLAIN SELECT * FROM clean.listings WHERE zip_code BETWEEN '00600' AND '00699'").fetchall()
    assert "listings_by_zip_code" in str(plan)


def test_an_estimate_without_the_newer_routes_still_shows_comparable_listings(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.first()
    app = open_page(
        monkeypatch, "estimate", dashboard_url, start_api("7"), state="Puerto Rico", zip_code="00601", house_size="1500"
    )
    assert app.number_input(key="estimate.house_size").value == 1500
    app.button(key="estimate.submit").click().run()
    assert not app.exception
    shown = words(app)
    assert "Estimated price: $300,000" in shown
    assert ("This API does not explain its prices." in shown) != EXPLAINS
    table = app.dataframe[0].value
    assert list(table["Zip code"]) == ["00601", "00602", "00603"]
    assert list(table["Living space (sq ft)"]) == ["–"] * 3
    if not EXPLAINS:
        app.number_input(key="estimate.actual").set_value(310_000.0)
        app.button(key="estimate.send").click().run()
        assert "This API does not take real prices." in words(app)


@needs_routes
def test_an_estimate_is_explained_and_takes_the_real_price(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.first()
    app = open_page(monkeypatch, "estimate", dashboard_url, start_api("7"), lang="es", house_size="1500")
    app.button(key="estimate.submit").click().run()
    assert not app.exception
    waterfall = figures(app)[-1]
    assert waterfall["data"][0]["type"] == "waterfall"
    assert "Superficie (pies²)" in waterfall["alt"]
    assert sum(waterfall["data"][0]["x"][:-1]) == pytest.approx(300_000)
    app.number_input(key="estimate.actual").set_value(250_000.0)
    app.button(key="estimate.send").click().run()
    assert not app.exception
    # The database of this API is nowhere, and it says so.
    assert "La API no puede hacerlo ahora" in words(app)


def test_estimates_while_the_database_is_away(monkeypatch, start_api):
    app = open_page(monkeypatch, "estimate", NOWHERE, start_api("7"))
    app.text_input(key="estimate.zip_code.text").set_value("00601")
    app.button(key="estimate.submit").click().run()
    assert not app.exception
    assert "Comparable listings" in words(app)
    assert "The database does not answer" in words(app)


def test_routes_that_are_not_there_are_told_from_an_api_that_is_away(start_api):
    with pytest.raises(ApiDownError):
        Api(NO_API).explain({}, "r")
    if not EXPLAINS:
        with pytest.raises(UnsupportedError):
            Api(start_api("7")).explain({}, "r")


def upload(app, content: bytes):
    app.file_uploader(key="batch.file").upload("homes.csv", content, "text/csv").run()
    assert not app.exception, app.exception
    return app


def test_a_file_comes_back_with_prices_and_the_errors_of_its_rows(monkeypatch, dashboard_url, start_api):
    app = open_page(monkeypatch, "batch", dashboard_url, start_api("7"))
    content = b"zip_code;house_size;note;bed\n00601;1000;mine;3\nnowhere;900;;\n;;;-1\n96720;2000;x;2\n"
    upload(app, content)
    assert "4 homes read. Used: zip_code, house_size, bed." in words(app)
    assert "Kept and not used: note." in words(app)
    app.button(key="batch.submit").click().run()
    assert not app.exception
    shown = words(app)
    assert "Priced: 2" in shown
    assert "With errors: 2" in shown
    errors, result = app.dataframe[0].value, app.dataframe[1].value
    assert list(errors["Row"]) == ["2", "3"]
    assert list(errors["Column"]) == ["zip_code", "bed"]
    assert list(errors["Given"]) == ["nowhere", "-1"]
    assert list(result["price"].fillna(0)) == [200_000, 0, 0, 400_000]
    assert list(result["note"]) == ["mine", "", "", "x"]
    # Another language keeps the result; another file does not.
    app.session_state["lang"] = "es"
    app.run()
    assert "Estimadas: 2" in words(app)
    upload(app, content + b"96720;100;;1\n")
    assert "Estimadas" not in words(app)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file has no homes"),
        (b"zip_code\n", "The file has no homes"),
        (b"color,size\nred,2\n", "None of the columns is known. Found: color, size."),
        (b"zip_code,zip code\n1,2\n", "The column zip_code stands twice"),
        (b"zip_code,city\n1,Hilo, HI\n", "Line 2 has 3 cells, the first line has 2."),
        ("city\nEspa\u00f1ola\n".encode("latin-1"), "The file is not UTF-8."),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(monkeypatch, dashboard_url, start_api, content, said):
    app = open_page(monkeypatch, "batch", dashboard_url, start_api("7"))
    assert said in app.file_uploader(key="batch.file").upload("homes.csv", content, "text/csv").run().error[0].value


def test_batch_estimates_while_the_api_is_away_or_has_no_model(monkeypatch, dashboard_url, start_api):
    app = open_page(monkeypatch, "batch", dashboard_url)
    assert "The API does not answer" in words(app)
    upload(app, batch.EXAMPLE.encode())
    app.button(key="batch.submit").click().run()
    assert not app.exception
    assert "It stopped after 0 homes; 2 are without an answer." in words(app)
    assert "There is no model yet" in words(open_page(monkeypatch, "batch", dashboard_url, start_api(None)))


def test_many_rows_go_in_several_calls_and_what_is_there_is_kept(start_api):
    api = Api(start_api("7"))
    rows = [{"house_size": 1000 + number} for number in range(2100)]
    sizes = [len(done.rows) for done in batch.price(rows, api.predict_many)]
    assert sizes == [1000, 2000, 2100]
    away = Api(NO_API)
    *_, last = batch.price(rows, lambda part: (api if part[0] == rows[0] else away).predict_many(part))
    assert len(last.rows) == 1000
    assert isinstance(last.error, ApiDownError)
    assert last.rows[7].price == pytest.approx(1007 * 200)


def test_the_download_has_every_row_and_can_be_uploaded_again(start_api):
    sheet = batch.read_sheet(b'zip_code,house_size,city\n00601,1000,"Adjuntas, PR"\n00602,-1,Aguada\n')
    *_, done = batch.price(sheet.homes(), Api(start_api("7")).predict_many)
    content = batch.as_csv(batch.answers(sheet, done.rows))
    table = pd.read_csv(io.BytesIO(content), dtype={"zip_code": str})
    assert list(table["price"].fillna(0)) == [200_000, 0]
    assert list(table["city"]) == ["Adjuntas, PR", "Aguada"]
    assert "house_size" in table["error"][1]
    again = batch.read_sheet(content)
    assert list(batch.answers(again, []).columns) == ["zip_code", "house_size", "city", *batch.ANSWERS]


def test_the_files_columns_are_the_apis():
    assert batch.FIELDS == schemas.FIELDS
    assert batch.MAX_INSTANCES == schemas.MAX_INSTANCES
