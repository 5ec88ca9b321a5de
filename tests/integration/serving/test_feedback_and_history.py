"""Real prices and the model's history, in a real PostgreSQL with the rights of serving."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from ct_serving.settings import Settings
from ct_serving.spool import Spool
from ct_store.connection import connect
from ct_store.ledger import record_decision, record_event

sys.path.insert(0, str(Path(__file__).parent))

from apps import NAME, client_of

pytestmark = pytest.mark.integration


class TwoHundredASquareFoot:
    def predict(self, data):
        price = data["house_size"].fillna(1000) * 200
        return {"price": price, "price_low": price * 0.8, "price_high": price * 1.25}


@pytest.fixture
def settings(tmp_path, serving_url):
    return Settings(database_url=serving_url, spool_directory=tmp_path / "spool", reload_seconds=0.1, flush_seconds=0.01)


@pytest.fixture
def client(settings):
    with client_of(settings, TwoHundredASquareFoot()) as client:
        yield client


def feedback_of(url):
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT request_id::text, row_number, actual_price, kind, client FROM raw.feedback ORDER BY feedback_id"
        ).fetchall()


def price(client, *sizes):
    body = {"instances": [{"house_size": size} for size in sizes]}
    request = client.post("/predict", json=body).json()["request_id"]
    # Until the log has connected to PostgreSQL, rows go by way of the spool.
    deadline = time.monotonic() + 20
    while "\nct_inference_log_spooled_rows 0.0" not in (metrics := client.get("/metrics").text) or (
        "\nct_inference_log_stored_total 0.0" in metrics
    ):
        assert time.monotonic() < deadline, "the inference did not reach PostgreSQL"
        time.sleep(0.02)
    return request


def test_the_newest_price_counts_and_the_earlier_ones_stay(client, database_url):
    request = price(client, 1000, 2000)
    given = {"request_id": request, "row_number": 1, "actual_price": 380_000}
    first = client.post("/feedback", json=given)
    assert first.status_code == 200
    body = first.json()
    assert body["request_id"] == first.headers["X-Request-ID"] != request
    assert {name: body[name] for name in body if name != "request_id"} == {
        "feedback_for": request, "row_number": 1, "kind": "sale", "actual_price": 380_000, "result": "stored", "replaced": None,
        "predicted": 400_000, "model_version": "3",
    }  # fmt: skip
    again = client.post("/feedback", json=given).json()
    assert (again["result"], again["replaced"]) == ("unchanged", None)
    for amount, replaced in ((390_000, 380_000), (380_000, 390_000)):
        later = client.post("/feedback", json={**given, "actual_price": amount}).json()
        assert (later["result"], later["replaced"]) == ("stored", replaced)
    asked = client.post("/feedback", json={**given, "kind": "asking", "actual_price": 410_000.5}).json()
    assert (asked["result"], asked["replaced"]) == ("stored", None)
    other = client.post("/feedback", json={"request_id": request.upper(), "actual_price": 1}).json()
    assert (other["row_number"], other["predicted"]) == (0, 200_000)
    assert feedback_of(database_url) == [
        (request, 1, 380_000, "sale", "testclient"), (request, 1, 390_000, "sale", "testclient"),
        (request, 1, 380_000, "sale", "testclient"), (request, 1, 410_000.5, "asking", "testclient"),
        (request, 0, 1, "sale", "testclient"),
    ]  # fmt: skip
    with psycopg.connect(database_url) as connection:
        current = connection.execute("SELECT row_number, kind, actual_price FROM raw.current_feedback ORDER BY 1, 2").fetchall()
    assert current == [(0, "sale", 1), (1, "asking", 410_000.5), (1, "sale", 380_000)]
    metrics = client.get("/metrics").text
    assert 'ct_feedback_total{result="stored"} 5.0' in metrics
    assert 'ct_feedback_total{result="unchanged"} 1.0' in metrics
    assert "ct_feedback_abs_log_error_count 5.0" in metrics


def test_the_same_price_at_the_same_time_is_one_line(client, database_url):
    request = price(client, 1000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/feedback", json={"request_id": request, "actual_price": 5}), range(16)))
    assert sorted(answer.json()["result"] for answer in answers) == ["stored"] + ["unchanged"] * 15
    assert len(feedback_of(database_url)) == 1


def test_what_is_not_on_record_is_404(client, database_url):
    request = price(client, 1000)
    unknown = client.post("/feedback", json={"request_id": str(uuid4()), "actual_price": 5})
    assert (unknown.status_code, unknown.json()["detail"][0]["field"]) == (404, "request_id")
    no_row = client.post("/feedback", json={"request_id": request, "row_number": 1, "actual_price": 5})
    assert (no_row.status_code, no_row.json()["detail"][0]["field"]) == (404, "row_number")
    assert feedback_of(database_url) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [({"actual_price": 0}, "actual_price"), ({"actual_price": "5"}, "actual_price"), ({"actual_price": True}, "actual_price"),
     ({"actual_price": 1e13}, "actual_price"), ({"actual_price": None}, "actual_price"), ({"row_number": -1}, "row_number"),
     ({"row_number": 0.5}, "row_number"), ({"row_number": 1000}, "row_number"), ({"row_number": "0"}, "row_number"),
     ({"request_id": "x"}, "request_id"), ({"request_id": uuid4().hex}, "request_id"), ({"request_id": 5}, "request_id"),
     ({"kind": "gift"}, "kind"), ({"price": 5}, "price")],
)  # fmt: skip
def test_a_422_names_field_range_and_example(client, change, field):
    answer = client.post("/feedback", json={"request_id": str(uuid4()), "actual_price": 5, **change})
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["field"] == field
    assert problem["allowed"]
    assert (problem["example"] is not None) == (field != "price")


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{"])
def test_a_body_that_is_no_object_is_422(client, body):
    answer = client.post("/feedback", content=body)
    assert (answer.status_code, answer.json()["detail"][0]["field"]) == (422, "body")


def test_a_row_that_waits_in_the_spool_is_known(settings, client, database_url):
    from datetime import UTC, datetime

    from ct_serving.raw_table import InferenceRow, encode

    request, now = uuid4(), datetime.now(UTC)
    spool = Spool(settings.spool_directory, 10)
    # The log has counted what waits at its start, so it does not replay this row before the question.
    spool.append([encode(InferenceRow(request, 0, now, now, "ok", 200, price=5.0))])
    try:
        answer = client.post("/feedback", json={"request_id": str(request), "actual_price": 6})
    finally:
        spool.close()
    assert answer.status_code == 200
    assert answer.json()["result"] == "stored"
    assert feedback_of(database_url)[0][:3] == (str(request), 0, 6)


def test_while_the_database_is_away_nothing_is_kept_and_said_so(tmp_path, own_postgres):
    settings = Settings(
        database_url=own_postgres.url(user="api", password="test"),
        spool_directory=tmp_path,
        reload_seconds=0.1,
        flush_seconds=0.01,
    )
    with client_of(settings, TwoHundredASquareFoot()) as client:
        request = price(client, 1000)
        given = {"request_id": request, "actual_price": 5}
        assert client.post("/feedback", json=given).status_code == 200
        own_postgres.stop()
        for path, answer in (
            ("/feedback", client.post("/feedback", json=given)),
            ("/model/history", client.get("/model/history")),
        ):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15"), path
            assert answer.json()["detail"][0]["field"] == "database"
        assert client.post("/predict", json={}).status_code == 200
        own_postgres.start()
        later = client.post("/feedback", json={**given, "actual_price": 7}).json()
        assert (later["result"], later["replaced"]) == ("stored", 5)
        assert client.get("/model/history").json()["reigns"] == []


POLICY = {"name": "strict", "version": "1", "digest": "d"}
SUPERIORITY = {"name": "superiority", "code": "REJECT_NOT_BETTER", "value": -0.12, "ci_low": -0.15, "ci_high": -0.09,
               "threshold": -0.01, "verdict": "pass"}  # fmt: skip
ERROR_RATIO = {"name": "error_ratio", "value": 1.27, "ci_low": 1.22, "ci_high": 1.31, "threshold": 1.1, "verdict": "fire"}


@pytest.fixture
def ledger(database_url):
    """Version 1, then 2, then 1 again by hand; 3 was rejected; another model is none of ours."""
    common = {"dag_id": "houses", "model_name": NAME}
    with connect("test", database_url) as connection:

        def decide(run, kind, outcome, code, **more):
            return record_decision(
                connection, dag_id="houses", run_id=run, kind=kind, outcome=outcome, code=code, policy=POLICY, **more
            )

        decide("run-1", "retrain", "train", "TRAIN_BOOTSTRAP", facts={"batch_number": 0})
        record_event(connection, run_id="run-1", model_version="1", event="registered", **common)
        key = decide("run-1", "promotion", "promote", "PROMOTE_FIRST_MODEL", challenger_version="1")
        record_event(connection, run_id="run-1", model_version="1", event="promoted", decision_id=key, **common)
        decide("run-2", "retrain", "train", "TRAIN_PERFORMANCE_DEGRADED", champion_version="1", signals=[ERROR_RATIO],
               facts={"batch_number": 1, "fired": ["error_ratio"]})  # fmt: skip
        record_event(connection, run_id="run-2", model_version="2", event="registered", **common)
        key = decide(
            "run-2", "promotion", "promote", "PROMOTE_BETTER", champion_version="1", challenger_version="2", gates=[SUPERIORITY]
        )
        for version, event in (("1", "demoted"), ("2", "promoted")):
            record_event(connection, run_id="run-2", model_version=version, event=event, decision_id=key, **common)
        record_event(connection, run_id="run-3", model_version="3", event="rejected", **common)
        for run in ("hand-1", "hand-2"):
            record_event(connection, run_id=run, model_version="1", event="alias_moved_by_hand", **common)
        record_event(connection, dag_id="d", model_name="other", run_id="run-9", model_version="9", event="promoted")


@pytest.mark.usefixtures("ledger")
def test_the_history_says_who_was_in_production_when_and_why(client):
    english = client.get("/model/history").json()
    spanish = client.get("/model/history", params={"language": "es"}).json()
    assert (english["model"], english["language"], spanish["language"]) == (NAME, "en", "es")
    third, second, first = english["reigns"]
    assert [(one["version"], one["event"], one["run_id"]) for one in (first, second, third)] == [
        ("1", "promoted", "run-1"), ("2", "promoted", "run-2"), ("1", "alias_moved_by_hand", "hand-1"),
    ]  # fmt: skip
    assert (first["until"], second["until"], third["until"]) == (second["since"], third["since"], None)
    assert second["trained_because"]["code"] == "TRAIN_PERFORMANCE_DEGRADED"
    assert "1.27" in second["trained_because"]["text"]
    assert second["in_production_because"]["code"] == "PROMOTE_BETTER"
    assert "12%" in second["in_production_because"]["text"]
    assert second["in_production_because"]["policy"] == "strict 1"
    assert "12 %" in spanish["reigns"][1]["in_production_because"]["text"]
    assert "1,27" in spanish["reigns"][1]["trained_because"]["text"]
    assert third["in_production_because"] is None
    assert third["trained_because"]["code"] == "TRAIN_BOOTSTRAP"
    assert [one["version"] for one in client.get("/model/history", params={"limit": 2}).json()["reigns"]] == ["1", "2"]


@pytest.mark.parametrize(
    ("query", "field"), [({"language": "fr"}, "language"), ({"limit": 0}, "limit"), ({"limit": "x"}, "limit")]
)
def test_a_wrong_query_names_what_is_allowed(client, query, field):
    answer = client.get("/model/history", params=query)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["field"] == field
    assert problem["allowed"]
    assert problem["example"]
    assert UUID(answer.json()["request_id"])


def test_without_a_database_the_routes_say_so(settings):
    with client_of(replace(settings, database_url=""), TwoHundredASquareFoot()) as client:
        assert client.get("/model/history").status_code == 503
        assert client.post("/feedback", json={"request_id": str(uuid4()), "actual_price": 5}).status_code == 503
