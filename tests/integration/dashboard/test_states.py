"""Every page in every state, in both languages: what it says, and that all its charts and tables can be heard."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st
from evaluated import Evaluations
from opening import NO_API, NOWHERE, figures, open_page, words

pytestmark = pytest.mark.integration

API_DOWN = ("The API does not answer at", "La API no responde en")
DATABASE_DOWN = ("The database does not answer", "La base de datos no responde")
NO_MODEL = ("There is no model yet", "Todavía no hay modelo")
NO_BATCH = ("No batch has arrived yet", "Aún no ha llegado ningún lote")
FIRST, SECOND = (
    (f"Model **version {version}** answers", f"Responde la **versión {version}** del modelo") for version in (1, 2)
)

SAYS: dict[str, dict[str, tuple[str, str]]] = {
    "estimate": {
        "api down": API_DOWN,
        "database down": ("there are no lists of places", "no hay listas de lugares"),
        "no model": NO_MODEL,
        "one batch": FIRST,
        "full": SECOND,
    },
    "batch": {"api down": API_DOWN, "database down": SECOND, "no model": NO_MODEL, "one batch": FIRST, "full": SECOND},
    "history": {
        "api down": ("In production: version 2", "En producción: versión 2"),
        "database down": DATABASE_DOWN,
        "no model": NO_BATCH,
        "one batch": ("One batch so far", "Por ahora hay un solo lote"),
        "full": ("What it relies on differently:", "En qué se basa de forma distinta:"),
    },
    "comparison": {
        "api down": ("1 of 2 criteria that apply are met", "Se cumplen 1 de los 2 criterios"),
        "database down": DATABASE_DOWN,
        "no model": ("No challenger has been judged yet", "Aún no se ha juzgado ningún retador"),
        "one batch": ("this was the first model", "este fue el primer modelo"),
        "full": ("Version 3 was not promoted", "No se promovió la versión 3"),
    },
    "metrics": {
        "api down": ("Versions scored: 3", "Versiones medidas: 3"),
        "database down": DATABASE_DOWN,
        "no model": ("No version has been scored yet", "Aún no se ha medido ninguna versión"),
        "one batch": ("One version so far", "Por ahora hay una sola versión"),
        "full": ("★ in production now", "★ en producción ahora"),
    },
    "explainability": {
        "api down": ("What version 3 relies on", "En qué se basa la versión 3"),
        "database down": DATABASE_DOWN,
        "no model": ("No version has been explained yet", "Aún no se ha explicado ninguna versión"),
        "one batch": ("No other version has been explained", "Aún no se ha explicado ninguna otra versión"),
        "full": ("Version 3 against version 2", "La versión 3 frente a la versión 2"),
    },
    "data_changes": {
        "api down": ("Drift of the columns", "Deriva de las variables"),
        "database down": DATABASE_DOWN,
        "no model": NO_BATCH,
        "one batch": ("Changes are measured from the second batch on", "Los cambios se miden desde el segundo lote"),
        "full": ("Prices by batch", "Precios por lote"),
    },
    "quality": {
        "api down": ("1 of 2 expectations fail", "Fallan 1 de 2 expectativas"),
        "database down": DATABASE_DOWN,
        "no model": ("No batch has been validated yet", "Aún no se ha validado ningún lote"),
        "one batch": ("1 of 2 expectations fail", "Fallan 1 de 2 expectativas"),
        "full": ("Values never seen before", "Valores nunca vistos"),
    },
    "operations": {
        "api down": API_DOWN,
        "database down": DATABASE_DOWN,
        "no model": NO_MODEL,
        "one batch": ("No request in this time", "Ninguna petición en este periodo"),
        "full": ("Requests: 30", "Peticiones: 30"),
    },
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


def first_model(pipeline: Any) -> None:
    """One batch: the first model, scored and explained."""
    pipeline.first()
    evaluations = Evaluations(pipeline)
    evaluations.drawn("first", 1)
    evaluations.score("first", "1", 60_000)
    evaluations.explain("first", "1")


def whole_history(pipeline: Any) -> None:
    """A promotion, a rejection, requests, and three versions that were scored and explained on the same homes."""
    pipeline.all()
    pipeline.asked(30)
    evaluations = Evaluations(pipeline)
    evaluations.drawn("second", 3)
    for version, mae in (("1", 70_000), ("2", 50_000), ("3", 55_000)):
        evaluations.score("second", version, mae)
        evaluations.explain("second", version, bath=0.1 * int(version))


@pytest.mark.parametrize("state", ["api down", "database down", "no model", "one batch", "full"])
def test_every_page_says_what_there_is(monkeypatch, pipeline, dashboard_url, start_api, state):
    if state == "one batch":
        first_model(pipeline)
    elif state != "no model":
        whole_history(pipeline)
    database = NOWHERE if state == "database down" else dashboard_url
    served = {"no model": None, "one batch": "1"}.get(state, "2")
    api = NO_API if state == "api down" else start_api(served)
    for page, says in SAYS.items():
        for language, expected in zip(("en", "es"), says[state], strict=True):
            app = open_page(monkeypatch, page, database, api, lang=language)
            assert expected in words(app), (page, language)
            figures(app)
            assert all(table.proto.alt for table in app.dataframe), "a table without alternative text"
            if says[state] in (API_DOWN, DATABASE_DOWN, NO_MODEL, NO_BATCH):
                assert app.button, f"{page} offers no other try"


def test_the_table_of_pages_is_complete():
    from pathlib import Path

    import ct_dashboard.views

    views = {file.stem for file in Path(ct_dashboard.views.__file__).parent.glob("*.py")}
    assert set(SAYS) == views - {"__init__", "common", "estimate_details"}
