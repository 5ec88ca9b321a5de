"""The ledger and the roles, on a real PostgreSQL."""

import psycopg
import pytest
from ct_store.connection import connect
from ct_store.ledger import find_decision, record_decision, record_event, record_step

pytestmark = pytest.mark.integration

SIGNAL = {"name": "error_ratio", "value": 1.33, "ci_low": 1.22, "ci_high": 1.44, "threshold": 1.1, "verdict": "fire"}


def decide(connection, code="TRAIN_PERFORMANCE_DEGRADED"):
    return record_decision(
        connection, dag_id="d", run_id="r", kind="retrain", outcome="train", code=code, facts={"rows": 3}, signals=[SIGNAL]
    )


def test_a_decision_comes_back_with_its_evidence(pipeline_url):
    with connect("test", pipeline_url) as connection:
        decide(connection)
        decision = find_decision(connection, dag_id="d", run_id="r", kind="retrain")
    assert decision["code"] == "TRAIN_PERFORMANCE_DEGRADED"
    assert decision["facts"] == {"rows": 3}
    assert [(s["name"], s["value"], s["verdict"]) for s in decision["signals"]] == [("error_ratio", 1.33, "fire")]


def test_a_retry_gets_the_first_decision_back(pipeline_url):
    with connect("test", pipeline_url) as connection:
        first = decide(connection)
        assert decide(connection, code="SKIP_NO_MATERIAL_CHANGE") == first
        decision = find_decision(connection, dag_id="d", run_id="r", kind="retrain")
    assert decision["code"] == "TRAIN_PERFORMANCE_DEGRADED"
    assert len(decision["signals"]) == 1


@pytest.mark.parametrize("table", ["model_events", "decisions", "signals", "gates", "evaluations"])
@pytest.mark.parametrize(
    "change", ["UPDATE audit.{} SET decision_id = NULL", "DELETE FROM audit.{}", "TRUNCATE audit.{} CASCADE"]
)
def test_audit_only_grows_even_for_its_owner(database_url, table, change):
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.RaiseException, match="only grows"):
        connection.execute(change.format(table))


def test_an_event_of_a_run_is_written_once(pipeline_url):
    with connect("test", pipeline_url) as connection:
        for _ in range(2):
            record_event(connection, dag_id="d", run_id="r", model_name="m", model_version="1", event="promoted")
        assert connection.execute("SELECT count(*) AS n FROM audit.model_events").fetchone()["n"] == 1


def test_a_step_is_written_once_with_the_image_and_the_code_that_did_it(pipeline_url, monkeypatch):
    told = {"dag_id": "d", "run_id": "r", "step": "clean", "batch_id": None}
    monkeypatch.setenv("CT_CODE_VERSION", "abc123")
    with connect("test", pipeline_url) as connection:
        for image in ("images/clean:1@sha256:0123", "images/clean:2"):
            monkeypatch.setenv("CT_IMAGE", image)
            record_step(connection, **told)
        monkeypatch.delenv("CT_IMAGE")
        record_step(connection, **told | {"step": "assess"})
        found = connection.execute("SELECT step, image, code_version FROM audit.steps ORDER BY step").fetchall()
    assert [tuple(line.values()) for line in found] == [
        ("assess", None, "abc123"), ("clean", "images/clean:1@sha256:0123", "abc123"),
    ]  # fmt: skip


def test_a_step_is_not_changed_even_by_the_owner(database_url):
    for change in ("UPDATE audit.steps SET image = 'x'", "DELETE FROM audit.steps", "TRUNCATE audit.steps"):
        with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.RaiseException, match="only grows"):
            connection.execute(change)


def batch_of(connection, number, run_id):
    """A batch in RAW; its id."""
    return connection.execute(
        "WITH asked AS (INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', %(run)s, 'data', 'u') RETURNING *) "
        "INSERT INTO raw.batches (stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, body_sha256, "
        "envelope, schema_seen, requested_at) SELECT 's', %(number)s, 'd', %(run)s, request_id, 1, 1, 'sha', '{}', '{}', now() "
        "FROM asked RETURNING batch_id",
        {"run": run_id, "number": number},
    ).fetchone()["batch_id"]


def test_lineage_has_a_line_for_each_version_and_its_batches_and_for_batches_without_one(database_url, dashboard_url):
    with connect("test", database_url) as connection:
        first, second, third = (batch_of(connection, number, f"r{number}") for number in range(3))
        for version, run_id, batches in (("1", "r0", [first]), ("2", "r1", [first, second])):
            record_event(
                connection, dag_id="d", run_id=run_id, model_name="m", model_version=version, event="registered",
                details={"batch_ids": batches, "git_sha": "abc", "data_digests": {"train": "x"}},
            )  # fmt: skip
        record_event(connection, dag_id="d", run_id="r0", model_name="m", model_version="1", event="promoted")
        record_event(connection, dag_id="d", run_id="old", model_name="m", model_version="0", event="registered")
    with connect("test", dashboard_url) as connection:
        lines = connection.execute(
            "SELECT model_version, batch_id, code_version, jsonb_array_length(events) AS events FROM audit.lineage "
            "ORDER BY model_version NULLS LAST, batch_id"
        ).fetchall()
    assert [tuple(line.values()) for line in lines] == [
        ("0", None, None, 1), ("1", first, "abc", 2), ("2", first, "abc", 1), ("2", second, "abc", 1),
        (None, third, None, None),
    ]  # fmt: skip


FORBIDDEN = [
    ("serving_url", "SELECT * FROM raw.inferences"),
    ("serving_url", "SELECT * FROM raw.listings"),
    ("serving_url", "SELECT * FROM raw.feedback"),
    ("serving_url", "SELECT * FROM raw.current_feedback"),
    ("serving_url", "INSERT INTO raw.feedback (request_id, actual_price) VALUES (gen_random_uuid(), 1)"),
    ("serving_url", "SELECT * FROM audit.evaluations"),
    ("serving_url", "SELECT * FROM clean.listings"),
    ("pipeline_url", "SELECT raw.give_feedback(gen_random_uuid(), 0, 1, 'sale', NULL, true)"),
    ("dashboard_url", "SELECT raw.give_feedback(gen_random_uuid(), 0, 1, 'sale', NULL, true)"),
    (
        "serving_url",
        "INSERT INTO audit.model_events (dag_id, run_id, model_name, model_version, event) VALUES ('d','r','m','1','promoted')",
    ),
    ("dashboard_url", "INSERT INTO raw.feedback (request_id, actual_price) VALUES (gen_random_uuid(), 1)"),
    ("dashboard_url", "DELETE FROM clean.listings"),
    ("pipeline_url", "DELETE FROM raw.listings"),
    ("pipeline_url", "UPDATE raw.batches SET row_count = 1"),
    ("pipeline_url", "DELETE FROM audit.decisions"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_roles_have_no_more_rights_than_they_need(request, role, statement):
    with psycopg.connect(request.getfixturevalue(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_serving_may_insert_inferences_give_feedback_and_read_the_ledger(serving_url):
    with psycopg.connect(serving_url) as connection:
        connection.execute(
            "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, status, http_status) "
            "VALUES (gen_random_uuid(), 0, now(), now(), 'ok', 200) ON CONFLICT DO NOTHING"
        )
        connection.execute("SELECT raw.give_feedback(gen_random_uuid(), 0, 250000, 'sale', 'a client', true)")
        for table in ("model_events", "decisions", "signals", "gates"):
            connection.execute(f"SELECT * FROM audit.{table}")


def test_the_dashboard_reads_the_history(dashboard_url):
    with connect("test", dashboard_url) as connection:
        assert connection.execute("SELECT * FROM audit.history").fetchall() == []
