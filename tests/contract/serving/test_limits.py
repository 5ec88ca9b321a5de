"""What surrounds every route: keys, rates, sizes, times, ids and log lines."""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from ct_serving.keys import hash_of
from ct_serving.logs import JsonFormatter
from ct_serving.schemas import MAX_BODY_BYTES
from ct_serving.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "integration" / "serving"), str(ROOT / "local")]

from apps import NAME, client_of, served  # noqa: E402
from postgres import free_port  # noqa: E402

pytestmark = pytest.mark.contract

KEY, SLOW_KEY = "ct_of the tests", "ct_of a slow client"
KEYS = f"tests:{hash_of(KEY.encode()).decode()}\nslow:{hash_of(SLOW_KEY.encode()).decode()}:0.5"
MINE = {"X-API-Key": KEY}
PROTECTED = [("POST", "/predict"), ("POST", "/explain"), ("POST", "/feedback"), ("GET", "/model"), ("GET", "/model/history"),
             ("GET", "/v2"), ("GET", f"/v2/models/{NAME}"), ("POST", f"/v2/models/{NAME}/infer"),
             ("GET", "/nowhere")]  # fmt: skip


class OneDollar:
    def predict(self, data):
        price = data["house_size"].fillna(1000) * 0 + 1
        return {"price": price, "price_low": price, "price_high": price}


@pytest.fixture
def settings(tmp_path):
    return Settings(spool_directory=tmp_path, reload_seconds=0.1, flush_seconds=0.01, api_keys=KEYS, rate_per_second=1000)


@pytest.fixture
def client(settings):
    with client_of(settings, OneDollar()) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_a_key_nothing_is_told(client, method, path):
    for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}):
        refused = client.request(method, path, json={}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert UUID(refused.headers["X-Request-ID"])
        assert set(refused.json()) == ({"error"} if path.startswith("/v2") else {"request_id", "detail"})
    for headers in (MINE, {"Authorization": f"Bearer {KEY}"}):
        assert client.request(method, path, json={}, headers=headers).status_code != 401
    assert 'ct_requests_refused_total{reason="key"} 3.0' in client.get("/metrics").text


def test_probes_need_no_key(client):
    for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200


def test_the_name_of_the_key_is_on_record_and_the_key_is_nowhere(settings, tmp_path):
    import sqlite3

    with client_of(settings, OneDollar()) as client:
        assert client.post("/predict", json={}, headers=MINE).status_code == 200
        shown = client.get("/metrics").text + str(client.app.state.service.settings)
    with sqlite3.connect(tmp_path / "inferences.sqlite3") as spool:
        (row,) = spool.execute("SELECT row FROM pending").fetchone()
    assert json.loads(row)[-1] == "tests"
    assert KEY not in shown + row.decode()


def test_beyond_its_rate_a_client_waits_and_others_do_not(client):
    slow = {"X-API-Key": SLOW_KEY}
    assert client.post("/predict", json={}, headers=slow).status_code == 200
    refused = client.post("/predict", json={}, headers=slow)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    assert "slow has sent too many requests" in refused.json()["detail"][0]["message"]
    assert client.post("/predict", json={}, headers=MINE).status_code == 200


def test_without_keys_the_log_says_that_everybody_may_ask(settings, caplog):
    from dataclasses import replace

    with client_of(replace(settings, api_keys=""), OneDollar()) as client:
        assert client.post("/predict", json={}).status_code == 200
    assert "no API keys are set: everybody who reaches this port may ask" in caplog.text


def chunks(size):
    for _ in range(0, size, 1_000_000):
        yield b" " * 1_000_000


@pytest.mark.parametrize("path", ["/predict", "/explain", "/feedback", f"/v2/models/{NAME}/infer", "/nowhere"])
def test_a_body_beyond_the_cap_is_413_with_and_without_a_length(client, path):
    announced = client.post(path, content=b" " * (MAX_BODY_BYTES + 1), headers=MINE)
    assert announced.status_code == 413
    assert f"{MAX_BODY_BYTES} bytes" in announced.text
    streamed = client.post(path, content=chunks(MAX_BODY_BYTES + 1_000_000), headers=MINE)
    assert streamed.status_code == (404 if path == "/nowhere" else 413)


class Sleeper(OneDollar):
    def contributions(self, data):
        time.sleep(1.5)
        raise AssertionError("nobody waits for this")


def test_a_request_that_takes_too_long_is_504(settings):
    from dataclasses import replace

    with client_of(replace(settings, request_seconds=0.5), Sleeper()) as client:
        late = client.post("/explain", json={}, headers=MINE)
        assert (late.status_code, late.headers["Retry-After"]) == (504, "5")
        assert late.json()["detail"][0]["field"] == "time"
        assert late.json()["request_id"] == late.headers["X-Request-ID"]
        assert client.post("/predict", json={}, headers=MINE).status_code == 200
        assert 'ct_requests_refused_total{reason="time"} 1.0' in client.get("/metrics").text


def test_a_body_that_does_not_come_is_504_and_nobody_waits_for_it(settings):
    from dataclasses import replace

    port = free_port()
    impatient = replace(settings, request_seconds=0.5, api_keys="")
    with served(impatient, OneDollar(), port), socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 50\r\n\r\n{")
        answer = b""
        while b"nothing was priced" not in answer and (chunk := slow.recv(65536)):
            answer += chunk
    assert b" 504 " in answer.splitlines()[0]
    assert b"the body did not come within 0.5 s" in answer


def test_an_unforeseen_error_has_an_id_and_tells_nothing_of_the_inside(settings, caplog):
    with client_of(settings, OneDollar()) as client:

        def broken(*_):
            raise RuntimeError("the password is secret")

        client.app.state.service.holder.__class__.current, kept = (
            property(broken),
            client.app.state.service.holder.__class__.current,
        )
        try:
            answer = client.get("/health/ready")
        finally:
            client.app.state.service.holder.__class__.current = kept
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert "the password is secret" in caplog.text


def test_the_refusals_of_the_framework_have_the_same_shape(client):
    for answer, status, field in (
        (client.get("/nowhere", headers=MINE), 404, "path"),
        (client.get("/predict", headers=MINE), 405, "method"),
        (client.get("/model/history?limit=x", headers=MINE), 422, "limit"),
    ):
        assert answer.status_code == status
        assert answer.json()["detail"][0]["field"] == field
        assert UUID(answer.json()["request_id"])
    assert client.get("/predict", headers=MINE).headers["Allow"] == "POST"


def test_log_lines_are_json_with_the_request_and_the_client(settings):
    from dataclasses import replace

    lines = []
    handler = logging.Handler()
    handler.setFormatter(JsonFormatter())
    handler.emit = lambda record: lines.append(handler.format(record))
    root = logging.getLogger("ct_serving")
    root.addHandler(handler)
    level, root.level = root.level, logging.INFO
    mine = str(uuid4())
    try:
        with client_of(replace(settings, access_log=True), OneDollar()) as client:
            client.post("/predict", json={}, headers={**MINE, "X-Request-ID": mine})
    finally:
        root.removeHandler(handler)
        root.level = level
    found = [json.loads(line) for line in lines]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in found)
    (line,) = [line for line in found if line.get("request_id") == mine]
    assert (line["client"], line["status"], line["handler"], line["method"]) == ("tests", 200, "/predict", "POST")
    assert KEY not in "".join(lines)
