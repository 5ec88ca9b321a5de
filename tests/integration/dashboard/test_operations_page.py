"""Operations on a real database and the real API; Prometheus' HTTP API is played by a server with its form of answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from ct_dashboard import lineage
from opening import NO_API, figures, open_page, words

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setenv("CT_PUBLIC_MLFLOW_URL", "http://mlflow.example")


class _Prometheus(BaseHTTPRequestHandler):
    """Ten requests a minute, a tenth of them refused, 30 ms each; a server without ``measured`` has never read the API."""

    measured = True
    queries: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.queries.append(asked["query"])
        start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        moments = [start + step * n for n in range(int((end - start) / step) + 1)]
        api = {"instance": "10.0.0.1:8000"}
        series = [
            (api | {"status": "200"}, [9 * at / 60 for at in moments]),
            (api | {"status": "422"}, [at / 60 for at in moments]),
        ]
        if "process_start_time_seconds" in asked["query"]:
            series = [(api, [1.0 for _ in moments])]
        if "histogram_quantile" in asked["query"]:
            series = [({}, [0.03 for _ in moments])]
        result = [
            {
                "metric": labels,
                "values": [
                    [at, f"{value:.0f}" if value > 1 else str(value)] for at, value in zip(moments, values, strict=True)
                ],
            }
            for labels, values in series
            if self.measured
        ]
        body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    _Prometheus.measured = True
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_requests_failures_latency_and_feedback_come_from_raw(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.all()
    ids = pipeline.asked(30)
    pipeline.asked(5, status="invalid", http_status=422)
    pipeline.asked(5, status="error", http_status=500)
    pipeline.asked(50, hours_ago=100)
    pipeline.told(ids[0], 220_000)
    pipeline.told(ids[0], 250_000)
    app = open_page(monkeypatch, "operations", dashboard_url, start_api("2"))
    shown = words(app)
    assert "Model that answers: version 2" in shown
    assert "Waiting on disk: 0" in shown
    assert "Requests: 40" in shown
    assert "Failures of the API (5xx): 12.50%" in shown
    assert "Slowest 95th percentile: 20 ms" in shown
    assert "**Real prices told: 1.**" in shown
    assert "within 22.3% of them, and 100% of them" in shown, "the newest real price of a home counts"
    volume, latency, prices, _ = figures(app)
    assert [sum(trace["y"]) for trace in volume["data"]] == [30, 5, 5]
    assert latency["layout"]["yaxis"]["title"]["text"] == "milliseconds"
    assert "newest answers (80)" in prices["alt"]
    assert "training of version 2" in prices["alt"]
    app.segmented_control(key="operations.hours").set_value(168).run()
    assert not app.exception
    assert "Requests: 90" in words(app)
    assert app.query_params["hours"] == "168"


def test_lineage_from_batch_to_alias(monkeypatch, pipeline, dashboard_url, start_api):
    pipeline.all()
    app = open_page(monkeypatch, "operations", dashboard_url, start_api("2"), version="3")
    shown = words(app)
    assert "Version 3 was not promoted" in shown
    graph = figures(app)[-1]
    assert "Batch: group 9 · batch 2 · 40 rows · x" in graph["alt"]
    assert "Where it stands: never in production" in graph["alt"]
    assert next(link.proto.url for link in app.get("link_button")) == "http://mlflow.example/#/runs/mlflow-3"
    app.selectbox(key="operations.version").select("2").run()
    graph = figures(app)[-1]
    assert "Where it stands: in production now" in graph["alt"]
    boxes = [note["text"] for note in graph["layout"]["annotations"] if note["text"]]
    assert [box.partition("</b>")[0] for box in boxes][:3] == ["<b>Batch", "<b>Validation", "<b>Data set"]
    assert "Model: version 2" in graph["alt"], "the alternative text says the same as the graph"
    line = lineage.read_line(dashboard_url, "house-prices", "1")
    assert line is not None
    assert (line.batch_number, line.mlflow_run_id, line.in_production) == (0, "mlflow-1", False)
    assert lineage.read_line(dashboard_url, "house-prices", "99") is None


def test_prometheus_where_it_is_configured(monkeypatch, pipeline, dashboard_url, prometheus_url):
    pipeline.asked(3)
    monkeypatch.setenv("CT_PROMETHEUS_URL", prometheus_url)
    app = open_page(monkeypatch, "operations", dashboard_url, hours="1")
    shown = words(app)
    assert "Measured by Prometheus." in shown
    assert "Requests: 600" in shown
    assert [sum(trace["y"]) for trace in figures(app)[0]["data"]] == [540, 60, 0]
    assert "Slowest 95th percentile: 30 ms" in shown
    assert any("histogram_quantile(0.95, sum by (le)" in query for query in _Prometheus.queries)
    _Prometheus.measured = False
    shown = words(open_page(monkeypatch, "operations", dashboard_url, hours="24"))
    assert "has read nothing of the API in this time" in shown
    assert "Requests: 3" in shown
    assert "Counted from the inferences in RAW" in shown
    monkeypatch.setenv("CT_PROMETHEUS_URL", NO_API)
    shown = words(open_page(monkeypatch, "operations", dashboard_url, lang="es"))
    assert "Prometheus no responde" in shown
    assert "Peticiones: 3" in shown


def test_a_silent_prometheus_is_waited_for_once(monkeypatch, pipeline, dashboard_url):
    pipeline.asked(3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CT_PROMETHEUS_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        app = open_page(monkeypatch, "operations", dashboard_url)
        assert "Prometheus does not answer (timed out)" in words(app)
        silent.settimeout(0)
        silent.accept()
        app.run()
        assert "Prometheus does not answer (timed out)" in words(app)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_an_api_without_model_and_one_that_is_away(monkeypatch, dashboard_url, start_api):
    assert "There is no model yet" in words(open_page(monkeypatch, "operations", dashboard_url, start_api(None)))
    assert f"The API does not answer at {NO_API}" in words(open_page(monkeypatch, "operations", dashboard_url))
