"""What Prometheus reads of the pipeline: every query against a real database, and the server without one."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import psycopg
import pytest
from ct_store.exporter import QUERIES, DatabaseCollector, handler
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.integration


@pytest.fixture
def serve():
    """Start the exporter for a URL; the result reads a path of it."""
    servers = []

    def start(url):
        registry = CollectorRegistry()
        registry.register(DatabaseCollector(url))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(registry))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return lambda path: opener.open(f"http://127.0.0.1:{server.server_port}{path}", timeout=20).read().decode()

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def samples(text):
    """Every sample as name and labels -> value."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def insert(connection, table, **columns):
    """One row; the first column of the result is returned."""
    marks = ", ".join(["%s"] * len(columns))
    text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) RETURNING *"
    return connection.execute(text, list(columns.values())).fetchone()[0]


def fill(url):
    """One batch with all that follows from it, and one request that nobody answered."""
    run = {"dag_id": "d", "run_id": "r"}
    now = datetime.now(UTC)
    with psycopg.connect(url) as connection:
        asked = {"stream": "group 1", "kind": "data", "url": "u"}
        request = insert(connection, "raw.requests", **asked, run_id="r", outcome="stored")
        insert(connection, "raw.requests", **asked, run_id="q", sent_at=now - timedelta(hours=1))
        batch = insert(
            connection, "raw.batches", **run, stream="group 1", batch_number=0, request_id=request, row_count=100,
            body_bytes=1, body_sha256="x", envelope="{}", schema_seen="{}", requested_at=now,
        )  # fmt: skip
        insert(
            connection, "clean.batches", batch_id=batch, run_id="r", rules_version="1", rows_in=100, rows_accepted=90,
            rows_new=80, rows_relisted=10, rows_quarantined=10, rows_by_split="{}", digest="x",
        )  # fmt: skip
        insert(
            connection, "audit.validations", batch_id=batch, run_id="r", suite_name="s", suite_version="1", accepted=True,
            expectations="[]", schema_changes="[]", new_categories="{}", report_html="",
        )  # fmt: skip
        decided = {**run, "batch_id": batch}
        retrain = insert(connection, "audit.decisions", **decided, kind="retrain", outcome="train", code="TRAIN_X")
        promotion = insert(connection, "audit.decisions", **decided, kind="promotion", outcome="promote", code="PROMOTE_X")
        signal = {"name": "error_ratio", "value": 1.3, "threshold": 1.1, "verdict": "fire"}
        insert(connection, "audit.signals", decision_id=retrain, position=1, **signal)
        gate = {"name": "leakage", "code": "REJECT_LEAKAGE", "verdict": "pass"}
        insert(connection, "audit.gates", decision_id=promotion, position=1, **gate)
        insert(
            connection, "audit.evaluations", decision_id=promotion, model_version="1", role="challenger", dataset="hold-out",
            dataset_digest="x", row_count=9, metrics='{"mae": 12.5, "note": "text"}',
        )  # fmt: skip
        insert(connection, "audit.model_events", **run, model_name="m", model_version="7", event="promoted")


def test_every_metric_has_its_value(serve, database_url):
    fill(database_url)
    found = samples(serve(database_url)("/metrics"))
    assert found["ct_database_up",] == 1
    assert found["ct_batches_total", ("stream", "group 1")] == 1
    assert found["ct_last_batch_timestamp_seconds", ("stream", "group 1")] > 1.7e9
    states = {"received": 100, "accepted": 90, "new": 80, "relisted": 10, "quarantined": 10}
    assert {state: found["ct_rows_total", ("state", state)] for state in states} == states
    assert found["ct_validations_total", ("accepted", "true")] == 1
    assert found["ct_validations_total", ("accepted", "false")] == 0, "before the first: it can only increase if it was there"
    assert {outcome: found["ct_promotions_total", ("outcome", outcome)] for outcome in ("promote", "reject", "hold")} == {
        "promote": 1,
        "reject": 0,
        "hold": 0,
    }
    assert found["ct_decisions_total", ("code", "TRAIN_X"), ("kind", "retrain"), ("outcome", "train")] == 1
    assert found["ct_signal_value", ("feature", ""), ("signal", "error_ratio")] == 1.3
    assert found["ct_signal_threshold", ("feature", ""), ("signal", "error_ratio")] == 1.1
    assert found["ct_signals", ("verdict", "fire")] == 1
    assert found["ct_gates", ("verdict", "pass")] == 1
    metrics = [key for key in found if key[0] == "ct_evaluation_metric"]
    assert metrics == [("ct_evaluation_metric", ("dataset", "hold-out"), ("metric", "mae"), ("role", "challenger"))]
    assert found["ct_model_events_total", ("event", "promoted"), ("model", "m")] == 1
    assert found["ct_promoted_timestamp_seconds", ("model", "m"), ("version", "7")] > 1.7e9
    assert found["ct_requests_unanswered",] == 1
    assert found["pg_settings_max_connections",] == 200
    names = {key[0] for key in found}
    for query in QUERIES:
        assert query.name + ("_total" if query.counter else "") in names


def test_an_empty_database_is_up_and_has_no_batch(serve, database_url):
    found = samples(serve(database_url)("/metrics"))
    assert found["ct_database_up",] == 1
    assert not [key for key in found if key[0] in {"ct_batches_total", "ct_signal_value", "ct_rows_total"}]
    assert found["ct_requests_unanswered",] == 0


def test_a_database_that_is_away_is_said_to_be_and_the_exporter_lives(serve):
    read = serve("postgresql://nobody:x@127.0.0.1:1/none")
    found = samples(read("/metrics"))
    assert found == {("ct_database_up",): 0}
    assert read("/health/live") == '{"status": "live"}'
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read("/other")


def test_a_scrape_can_write_nothing(serve, database_url, monkeypatch):
    from ct_store import exporter

    bad = exporter.Query("bad", "x", (), "DELETE FROM raw.feedback RETURNING 1")
    monkeypatch.setattr(exporter, "QUERIES", (bad,))
    assert samples(serve(database_url)("/metrics")) == {("ct_database_up",): 0}


def test_a_held_promotion_waits_until_somebody_has_answered(serve, database_url):
    read = serve(database_url)
    waiting = ("ct_promotions_waiting",)
    assert samples(read("/metrics"))[waiting] == 0
    held = {"dag_id": "d", "run_id": "r", "kind": "promotion", "outcome": "hold", "code": "HOLD_APPROVAL"}
    with psycopg.connect(database_url) as connection:
        insert(connection, "audit.decisions", **held)
        insert(connection, "audit.decisions", **{**held, "run_id": "older"}, decided_at=datetime.now(UTC) - timedelta(days=8))
    found = samples(read("/metrics"))
    assert found[waiting] == 1
    assert found["ct_promotions_total", ("outcome", "hold")] == 2
    with psycopg.connect(database_url) as connection:
        answer = {"kind": "approval", "outcome": "promote", "code": "PROMOTE_BY_HUMAN"}
        insert(connection, "audit.decisions", **{**held, **answer})
    assert samples(read("/metrics"))[waiting] == 0
