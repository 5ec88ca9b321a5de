"""Open one page as a person does who has its address, and read what it says."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

NOWHERE = "postgresql://nobody:x@127.0.0.1:9/none"
NO_API = "http://127.0.0.1:9"


def open_page(monkeypatch: pytest.MonkeyPatch, page: str, database: str, api: str = NO_API, **address: str) -> AppTest:
    """The page of that name below ct_dashboard.views; ``address`` are its query parameters, ``lang`` among them."""
    monkeypatch.setenv("CT_DATABASE_URL", database)
    monkeypatch.setenv("CT_SERVING_URL", api)
    monkeypatch.setenv("CT_TEST_PAGE", page)
    app = AppTest.from_function(_one_page, default_timeout=60)
    app.session_state["lang"] = address.pop("lang", "en")
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def _one_page() -> None:
    import importlib
    import os

    importlib.import_module(f"ct_dashboard.views.{os.environ['CT_TEST_PAGE']}").show()


def words(app: AppTest) -> str:
    """All that the page says outside of tables and charts."""
    kinds: list[Any] = [
        app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.info, app.warning, app.success,
    ]  # fmt: skip
    shown = [str(element.value) for kind in kinds for element in kind]
    return "\n".join([*shown, *(f"{metric.label}: {metric.value}" for metric in app.metric)])


def figures(app: AppTest) -> list[dict[str, Any]]:
    """The charts' specifications, each with its alternative text as ``alt``."""
    import json

    found = []
    for chart in app.get("plotly_chart"):
        assert chart.proto.alt, "a chart without alternative text"
        spec = json.loads(chart.proto.spec)
        assert spec["layout"]["title"]["text"], "a chart without a title"
        found.append({**spec, "alt": chart.proto.alt})
    return found
