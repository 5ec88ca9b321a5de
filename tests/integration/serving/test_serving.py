"""The API as a real process with a real MLflow and a real PostgreSQL."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from waiting import wait_until

pytestmark = pytest.mark.integration

HOUSE = {"status": "for_sale", "bed": 3, "bath": 2, "acre_lot": 0.2, "city": "Adjuntas", "state": "Puerto Rico",
         "zip_code": "00601", "house_size": 1000, "prev_sold_date": "2015-11-04", "brokered_by": 7}  # fmt: skip


def rows_of(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM raw.inferences ORDER BY received_at, row_number").fetchall()


def wait_for_rows(url: str, count: int, seconds: float = 20) -> list[dict[str, Any]]:
    wait_until(lambda: len(rows_of(url)) >= count, seconds, f"{count} rows in RAW")
    return rows_of(url)


def test_answers_and_keeps_every_inference(registry, make_serving, serving_url, database_url, mlflow_server):
    version = registry.log(200, known_zip_codes=["00601", "94110"])
    registry.promote(version)
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for(version)

    mine = str(uuid4())
    one = serving.client.post("/predict", json=HOUSE, headers={"X-Request-ID": mine})
    assert one.status_code == 200
    body = one.json()
    assert body["price"] == 200_000
    assert body["interval"] == {"low": 160_000, "high": 250_000, "level": 0.9}
    assert body["warnings"] == []
    assert body["model"]["name"] == registry.name
    assert body["model"]["version"] == version
    assert body["model"]["alias"] == "production"
    assert body["request_id"] == mine == one.headers["X-Request-ID"]

    many = serving.client.post("/predict", json={"instances": [HOUSE, {"bed": -1}, {}, {"zip_code": 602.0, "house_size": 90}]})
    assert many.status_code == 200
    good, bad, empty, odd = many.json()["predictions"]
    assert good["price"] == 200_000
    assert bad["price"] is None
    assert bad["error"]["detail"][0]["field"] == "bed"
    assert empty["price"] == 200_000
    assert {(warning["field"], warning["kind"]) for warning in odd["warnings"]} == {
        ("state", "missing"), ("zip_code", "unseen"), ("house_size", "out_of_range"),
    }  # fmt: skip

    refused = serving.client.post("/predict", json={"bed": 5000, "zip_code": "ABC\0"})
    assert refused.status_code == 422
    assert {problem["field"] for problem in refused.json()["detail"]} == {"bed", "zip_code"}
    assert serving.client.post("/predict", content=b'{"bed": ').status_code == 422

    rows = wait_for_rows(database_url, 7)
    assert len(rows) == 7
    assert [row["status"] for row in rows] == ["ok", "ok", "invalid", "ok", "ok", "invalid", "invalid"]
    assert rows[0]["request_id"] == UUID(mine)
    assert rows[0]["input"] == HOUSE
    assert (rows[0]["price"], rows[0]["price_low"], rows[0]["price_high"]) == (200_000, 160_000, 250_000)
    assert {row["model_version"] for row in rows} == {version}
    assert [row["http_status"] for row in rows] == [200] * 5 + [422] * 2
    assert rows[5]["input"] == {"bed": 5000, "zip_code": "ABC�"}
    assert rows[6]["input"] == {"body": '{"bed": '}
    assert all(row["answered_at"] >= row["received_at"] for row in rows)

    described = serving.client.get("/model").json()
    assert described["known_values"] == {"zip_code": 2}
    assert {column["name"] for column in described["inputs"]} == set(HOUSE)
    assert serving.metric("ct_predictions_total") == 4
    assert serving.metric("ct_model_info") == 1
    assert serving.client.get("/health/ready").json()["degraded"] == []


def test_a_request_sent_again_with_its_id_is_on_record_once(registry, make_serving, serving_url, database_url, mlflow_server):
    registry.promote(registry.log(100))
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for("1")
    same = str(uuid4())
    for _ in range(3):
        assert serving.client.post("/predict", json=HOUSE, headers={"X-Request-ID": same}).json()["request_id"] == same
    other = serving.client.post("/predict", json=HOUSE, headers={"X-Request-ID": "not a uuid"}).json()["request_id"]
    rows = wait_for_rows(database_url, 2)
    assert [str(row["request_id"]) for row in rows] == [same, other]


def test_follows_the_alias_under_load_without_a_wrong_version(registry, make_serving, serving_url, database_url, mlflow_server):
    dollars = {registry.log(amount): amount for amount in (100, 200, 300)}
    first, second, third = dollars
    registry.promote(first)
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for(first)
    stop = Event()
    answers: dict[str, tuple[str, float]] = {}

    def ask() -> None:
        with httpx.Client(base_url=serving.url, timeout=30, trust_env=False) as client:
            while not stop.is_set():
                size = random.randint(500, 5000)
                answer = client.post("/predict", json={**HOUSE, "house_size": size})
                assert answer.status_code == 200, answer.text
                body = answer.json()
                assert body["price"] == pytest.approx(size * dollars[body["model"]["version"]])
                answers[body["request_id"]] = (body["model"]["version"], body["price"])
                time.sleep(0.005)

    with ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(ask) for _ in range(4)]
        try:
            for version in (second, third, second):
                registry.promote(version)
                serving.wait_for(version)
                time.sleep(0.5)
        finally:
            stop.set()
        for asker in askers:
            asker.result()
    assert {version for version, _ in answers.values()} == {first, second, third}
    rows = wait_for_rows(database_url, len(answers))
    assert len(rows) == len(answers)
    assert {str(row["request_id"]): (row["model_version"], row["price"]) for row in rows} == answers
    assert serving.metric("ct_model_info") == 1


def test_a_broken_artefact_keeps_the_old_model_and_says_so(registry, make_serving, serving_url, mlflow_server):
    good, emptied, crossed, last = registry.log(100), registry.log(200), registry.log(300, scale=9), registry.log(400)
    run = registry.client.get_model_version(registry.name, emptied)
    stored = next(path for path in (mlflow_server.directory / "artifacts").rglob(run.source.rsplit("/", 1)[1]))
    shutil.rmtree(stored)
    registry.promote(good)
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for(good)
    bearer = {"Authorization": "Bearer a token of the tests"}

    for number, broken in enumerate((emptied, crossed), start=1):
        registry.promote(broken)
        answer = serving.client.post("/admin/reload", headers=bearer).json()
        assert answer["result"] == "failed", answer
        assert answer["model"]["version"] == good
        body = serving.client.post("/predict", json=HOUSE).json()
        assert (body["model"]["version"], body["price"]) == (good, 100_000)
        ready = serving.client.get("/health/ready")
        assert ready.status_code == 200
        assert [part["part"] for part in ready.json()["degraded"]] == ["model"]
        assert f"version {broken} does not load; version {good} stays" in ready.json()["degraded"][0]["detail"]
        assert serving.metric('ct_model_reload_total{result="failed",role="primary"}') >= number
    assert "outside of its own interval" in ready.json()["degraded"][0]["detail"]

    registry.promote(last)
    assert serving.client.post("/admin/reload", headers=bearer).json()["model"]["version"] == last
    assert serving.client.post("/predict", json=HOUSE).json()["price"] == 400_000
    assert serving.client.get("/health/ready").json()["degraded"] == []
    assert serving.client.post("/admin/reload").status_code == 401
    assert serving.client.post("/admin/reload", headers={"Authorization": "Bearer wrong"}).status_code == 403


def test_starts_without_mlflow_and_without_champion_and_recovers(
    registry, make_serving, serving_url, database_url, mlflow_relay
):
    serving = make_serving(
        CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_relay.url, CT_MODEL_NAME=registry.name, CT_ADMIN_TOKEN=""
    )
    wait_until(lambda: "does not answer" in serving.client.get("/health/ready").text, 30, "the registry is known to be away")
    ready = serving.client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json()["status"] == "not ready"
    assert "no model is loaded yet: MLflow at" in ready.json()["reason"]
    assert [part["part"] for part in ready.json()["degraded"]] == ["registry"]
    refused = serving.client.post("/predict", json=HOUSE)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"
    assert serving.client.post("/predict", json={"bed": -1}).status_code == 422
    assert serving.client.get("/model").status_code == 503
    assert serving.client.post("/admin/reload", headers={"Authorization": "Bearer any"}).status_code == 404

    mlflow_relay.open()
    wait_until(
        lambda: "no version carries the alias" in serving.client.get("/health/ready").text, 30, "MLflow answers, no champion"
    )
    assert serving.client.get("/health/ready").status_code == 503
    version = registry.log(100)
    registry.promote(version)
    serving.wait_for(version)
    assert serving.client.post("/predict", json=HOUSE).json()["price"] == 100_000

    mlflow_relay.close()
    wait_until(lambda: serving.client.get("/health/ready").json()["degraded"] != [], 30, "the outage is noticed")
    assert serving.client.get("/health/ready").status_code == 200
    assert serving.client.post("/predict", json=HOUSE).json()["model"]["version"] == version
    rows = wait_for_rows(database_url, 4)
    assert [(row["status"], row["http_status"]) for row in rows] == [
        ("unavailable", 503), ("invalid", 422), ("ok", 200), ("ok", 200),
    ]  # fmt: skip
    assert rows[0]["input"] == HOUSE


def test_no_inference_is_lost_or_doubled_while_postgresql_is_away(registry, make_serving, own_postgres, mlflow_server):
    registry.promote(registry.log(100))
    serving = make_serving(
        CT_DATABASE_URL=own_postgres.url(user="api", password="test"),
        MLFLOW_TRACKING_URI=mlflow_server.url,
        CT_MODEL_NAME=registry.name,
    )
    serving.wait_for("1")
    stop = Event()

    def ask() -> set[tuple[str, int, int]]:
        seen = set()
        with httpx.Client(base_url=serving.url, timeout=30, trust_env=False) as client:
            while not stop.is_set():
                kind = random.choice(("one", "many", "invalid"))
                bodies: dict[str, Any] = {"one": HOUSE, "many": {"instances": [HOUSE] * 3}, "invalid": {"bed": "many"}}
                answer = client.post("/predict", json=bodies[kind])
                assert answer.status_code == (422 if kind == "invalid" else 200), answer.text
                rows = 3 if kind == "many" else 1
                seen |= {(answer.json()["request_id"], number, answer.status_code) for number in range(rows)}
                time.sleep(0.01)
        return seen

    with ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask) for _ in range(3)]
        try:
            time.sleep(1)
            own_postgres.stop()
            time.sleep(3)
            assert serving.metric("ct_inference_log_spooled_rows") > 0
            ready = serving.client.get("/health/ready")
            assert ready.status_code == 200
            assert [part["part"] for part in ready.json()["degraded"]] == ["database"]
            own_postgres.start()
            time.sleep(3)
        finally:
            stop.set()
        expected = set().union(*(asker.result() for asker in askers))
    rows = wait_for_rows(own_postgres.url(), len(expected))
    assert len(rows) == len(expected)
    assert {(str(row["request_id"]), row["row_number"], row["http_status"]) for row in rows} == expected
    wait_until(lambda: serving.client.get("/health/ready").json()["degraded"] == [], 20, "nothing is degraded any more")
    assert serving.metric("ct_inference_log_spooled_rows") == 0
    assert serving.metric("ct_inference_log_dropped_total") == 0


def test_sigterm_flushes_what_is_queued(registry, make_serving, serving_url, database_url, mlflow_server):
    registry.promote(registry.log(100))
    serving = make_serving(
        CT_DATABASE_URL=serving_url,
        MLFLOW_TRACKING_URI=mlflow_server.url,
        CT_MODEL_NAME=registry.name,
        CT_DURABLE="false",
        CT_LOG_FLUSH_SECONDS="60",
    )
    serving.wait_for("1")
    for _ in range(20):
        assert serving.client.post("/predict", json=HOUSE).status_code == 200
    assert rows_of(database_url) == []
    started = time.monotonic()
    serving.stop()
    assert time.monotonic() - started < 8
    assert len(rows_of(database_url)) == 20


def test_what_waits_on_disk_survives_a_restart(registry, make_serving, own_postgres, mlflow_server):
    registry.promote(registry.log(100))
    serving = make_serving(
        CT_DATABASE_URL=own_postgres.url(user="api", password="test"),
        MLFLOW_TRACKING_URI=mlflow_server.url,
        CT_MODEL_NAME=registry.name,
    )
    serving.wait_for("1")
    own_postgres.stop()
    ids = {serving.client.post("/predict", json=HOUSE).json()["request_id"] for _ in range(10)}
    serving.stop()
    with sqlite3.connect(serving.spool / "inferences.sqlite3") as spool:
        assert {json.loads(row)[0] for (row,) in spool.execute("SELECT row FROM pending")} == ids
    own_postgres.start()
    serving.start()
    rows = wait_for_rows(own_postgres.url(), 10)
    assert {str(row["request_id"]) for row in rows} == ids


def test_two_processes_may_share_a_spool(make_serving: Callable[..., Any], serving_url, database_url, tmp_path):
    shared = str(tmp_path / "shared")
    both = [make_serving(CT_DATABASE_URL="", CT_SPOOL_DIR=shared) for _ in range(2)]
    for serving in both:
        assert serving.client.post("/predict", json=HOUSE).status_code == 503
        serving.stop()
    both[0].environment["CT_DATABASE_URL"] = serving_url
    both[0].start()
    assert [row["status"] for row in wait_for_rows(database_url, 2)] == ["unavailable"] * 2
