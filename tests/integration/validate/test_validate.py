"""Validation with the real Great Expectations on a real PostgreSQL, with the rights of the tasks."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ct_contract import BadDataError, TaskInput, TryLaterError
from ct_decisions.reasons import grounds, render
from ct_store.connection import connect
from ct_store.ledger import find_decision
from ct_validate.step import validate
from ct_validate.suite import run_suite
from house_prices.expectations import SUITE, Expected

pytestmark = pytest.mark.integration

_spec = importlib.util.spec_from_file_location("batches", Path(__file__).parent.parent / "clean" / "batches.py")
batches = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(batches)
row, homes, add_batch, ROW = batches.row, batches.homes, batches.add_batch, batches.ROW


@pytest.fixture
def store(database_url, pipeline_url, monkeypatch):
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    with connect("test", database_url) as connection:
        yield connection


def run(batch_id):
    return validate(TaskInput(task="validate", dag_id="d", run_id="r", inputs={"batch_id": batch_id})).summary


def kept(connection, batch_id):
    found = connection.execute("SELECT * FROM audit.validations WHERE batch_id = %s", (batch_id,)).fetchone()
    connection.commit()
    return found


def rejected(connection, batch_id):
    with pytest.raises(BadDataError) as caught:
        run(batch_id)
    assert caught.value.code == "SKIP_INVALID_BATCH"
    decision = find_decision(connection, dag_id="d", run_id="r", kind="retrain")
    connection.commit()
    return caught.value, decision


def seen(**changes):
    usual = {name: {"string" if isinstance(value, str) else "number": 30} for name, value in ROW.items()}
    return {**usual, **changes}


def test_a_sound_batch_is_accepted_and_its_report_is_a_page(store):
    batch_id = add_batch(store, homes(30))
    summary = run(batch_id)
    assert (summary["failed"], summary["schema_changes"]) == (0, [])
    found = kept(store, batch_id)
    assert found["accepted"]
    parser = HTMLParser()
    parser.feed(found["report_html"])
    assert "Batch 0 of s: accepted" in found["report_html"]
    assert run(batch_id) == summary


def test_an_all_null_target_is_rejected_with_expectation_share_and_decision(store):
    batch_id = add_batch(store, [row(street=float(i), price=None) for i in range(30)])
    error, decision = rejected(store, batch_id)
    failed = {(f["column"], f["expectation"]): f["share"] for f in decision["facts"]["failed"]}
    assert failed["price", "expect_column_values_to_not_be_null"] == 1.0
    assert decision["code"] == "SKIP_INVALID_BATCH"
    assert "price expect_column_values_to_not_be_null (100%; limit 20%)" in error.message
    assert error.message == render(decision, "en")
    assert error.summary["reason_es"] == render(decision, "es")
    assert all(line["threshold"] is not None for line in grounds(decision))
    found = kept(store, batch_id)
    assert not found["accepted"]
    assert "rejected" in found["report_html"]


def test_a_missing_required_column_is_named_and_rejects(store):
    rows = [row(street=float(i), price=100_000.0 + i, state=None, missing=["state"]) for i in range(30)]
    error, _ = rejected(store, add_batch(store, rows, schema_seen=seen(state={"missing": 30})))
    assert "state" in error.message
    changes = store.execute("SELECT schema_changes FROM audit.validations").fetchone()["schema_changes"]
    assert [(c["column"], c["change"]) for c in changes] == [("state", "missing")]


def test_a_missing_optional_column_is_a_warning(store):
    rows = [row(street=float(i), price=100_000.0 + i, bed=None, missing=["bed"]) for i in range(30)]
    summary = run(add_batch(store, rows, schema_seen=seen(bed={"missing": 30})))
    assert "bed expect_column_values_to_not_be_null" in summary["warnings"]
    assert [(c["column"], c["change"]) for c in summary["schema_changes"]] == [("bed", "missing")]


def test_a_new_column_is_named_and_does_not_matter(store):
    rows = [row(street=float(i), price=100_000.0 + i, other={"pool": True}) for i in range(30)]
    summary = run(add_batch(store, rows, schema_seen=seen(pool={"boolean": 30})))
    assert [(c["column"], c["change"]) for c in summary["schema_changes"]] == [("pool", "new")]
    assert summary["failed"] == 0


def test_a_retyped_column_that_reads_as_numbers_is_absorbed(store):
    rows = [row(street=float(i), price=None, other={"price": str(100_000 + i)}) for i in range(30)]
    summary = run(add_batch(store, rows, schema_seen=seen(price={"string": 30})))
    assert [(c["column"], c["change"]) for c in summary["schema_changes"]] == [("price", "retyped")]
    assert summary["failed"] == 0


def test_a_retyped_column_that_cannot_be_read_rejects_with_examples(store):
    rows = [row(street=float(i), price=None, other={"price": "on request"}) for i in range(30)]
    error, decision = rejected(store, add_batch(store, rows, schema_seen=seen(price={"string": 30})))
    assert "on request" in error.message
    assert decision["facts"]["failed"][0]["examples"] == ["on request"]


def test_a_batch_of_repeats_is_rejected(store):
    error, _ = rejected(store, add_batch(store, [row() for _ in range(30)]))
    assert "repetition expect_column_values_to_be_between (96.7%; limit 50%)" in error.message


def test_single_bad_rows_do_not_reject_a_batch(store):
    rows = [*homes(98), row(price=1.0, street=1.0), row(acre_lot=100_000.0, street=2.0)]
    assert run(add_batch(store, rows))["failed"] == 0


def test_a_rejected_batch_stays_rejected_when_it_is_asked_again(store):
    batch_id = add_batch(store, [row() for _ in range(30)])
    first, _ = rejected(store, batch_id)
    second, _ = rejected(store, batch_id)
    assert second.message == first.message
    assert store.execute("SELECT count(*) AS n FROM audit.decisions").fetchone()["n"] == 1


def test_new_states_are_named_with_their_share_of_the_rows(store, monkeypatch):
    from ct_clean.step import clean

    first = add_batch(store, homes(40), 0)
    clean(TaskInput(task="clean", dag_id="d", run_id="r0", inputs={"batch_id": first}))
    mixed = [*homes(30, start=500), *homes(10, start=900, state="Massachusetts", zip_code=1001.0)]
    summary = run(add_batch(store, mixed, 1))
    assert summary["new_categories"]["state"] == {"count": 1, "share": 0.25}
    assert summary["new_categories"]["zip3"] == {"count": 1, "share": 0.25}
    assert "status" not in summary["new_categories"]


def clean_it(batch_id):
    from ct_clean.step import clean

    clean(TaskInput(task="clean", dag_id="d", run_id=f"r{batch_id}", inputs={"batch_id": batch_id}))


def line(connection, batch_id, expectation):
    return next(found for found in kept(connection, batch_id)["expectations"] if found["expectation"] == expectation)


def test_how_much_of_a_retyped_column_can_be_read_is_told(store):
    rows = [row(street=float(i), price=100_000.0 + i) for i in range(30)]
    rows += [row(street=100.0 + i, price=None, other={"price": text}) for i, text in enumerate(["150000", " 2e5 ", "ask"])]
    batch_id = add_batch(store, rows, schema_seen=seen(price={"number": 30, "string": 3}))
    (change,) = run(batch_id)["schema_changes"]
    assert (change["rows"], change["readable"]) == (3, 2)
    assert "2 of 3 read as numbers" in kept(store, batch_id)["report_html"]


def test_numbers_beyond_all_measure_are_judged_and_not_stumbled_over(store):
    absurd = [
        row(street=1e300), row(street=1.0, zip_code=1e300), row(street=2.0, zip_code=1234567.0),
        row(street=3.0, price=1e308, house_size=1e-308), row(street=4.0, price=None, other={"price": "9" * 400}),
        row(street=5.0, price=None, other={"price": "0." + "0" * 400 + "1"}), row(street=6.0, bed=-1e308, acre_lot=1e308),
    ]  # fmt: skip
    first = add_batch(store, [*homes(300), *absurd], 0)
    assert run(first)["batch_id"] == first
    clean_it(first)
    second = add_batch(store, [*homes(300), *absurd], 1)
    assert "zip3" not in run(second)["new_categories"]
    assert line(store, second, "homes_known_before")["share"] == pytest.approx(300 / 307, abs=0.005)


def test_homes_known_before_and_volume_are_measured_against_clean(store):
    first = add_batch(store, homes(100), 0)
    run(first)
    assert line(store, first, "volume_against_history")["observed"] == {"rows": 100, "accumulated": 0, "share": None}
    clean_it(first)
    second = add_batch(store, [*homes(15, start=85), *homes(15, start=900)], 1)
    assert run(second)["failed"] == 0
    assert line(store, second, "homes_known_before")["rows"] == 15
    assert line(store, second, "volume_against_history")["observed"] == {"rows": 30, "accumulated": 100, "share": 0.3}


def test_a_batch_of_known_homes_is_used_with_a_warning(store):
    clean_it(add_batch(store, homes(40), 0))
    summary = run(add_batch(store, homes(40, status="sold"), 1))
    assert summary["warnings"] == ["homes_known_before"]


def test_accumulated_rows_that_have_gone_are_noticed(store):
    first = add_batch(store, homes(40), 0)
    clean_it(first)
    store.execute("DELETE FROM clean.listings WHERE row_number <= 3")
    store.commit()
    second = add_batch(store, homes(40, start=100), 1)
    run(second)
    found = line(store, second, "accumulated_rows_complete")
    assert not found["success"]
    assert found["examples"] == [f"batch {first}: 37 rows, 40 were accepted"]
    assert found["examples"][0] in kept(store, second)["report_html"]


def test_prices_in_another_unit_are_a_warning(store):
    rows = [row(street=float(i), price=200.0 + i) for i in range(30)]
    warnings = run(add_batch(store, rows))["warnings"]
    assert "price expect_column_median_to_be_between" in warnings
    assert "price_per_square_foot expect_column_values_to_be_between" in warnings


def test_what_cannot_be_computed_is_no_judgement_of_the_batch(store, pipeline_url):
    batch_id = add_batch(store, homes(30))
    impossible = Expected(expectation="expect_column_values_to_not_be_null", severity="critical", column="no_such_column")
    with pytest.raises(TryLaterError, match="no_such_column could not be computed") as caught:
        run_suite(pipeline_url, batch_id, [*SUITE, impossible])
    assert caught.value.code == "VALIDATION_NOT_COMPUTED"
    assert run(batch_id)["failed"] == 0


def test_the_rows_stay_in_the_database(store, pipeline_url):
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    batch_id, fetched = add_batch(store, homes(500)), []

    def count(_connection, cursor, _statement, *_):
        fetched.append(cursor.rowcount if cursor.description else 0)

    event.listen(Engine, "after_cursor_execute", count)
    try:
        run_suite(pipeline_url, batch_id)
    finally:
        event.remove(Engine, "after_cursor_execute", count)
    assert 0 < max(fetched) < 100
    store.rollback()
    sessions = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'validate'"
    deadline = time.monotonic() + 10
    while store.execute(sessions).fetchone()["n"]:
        store.rollback()
        assert time.monotonic() < deadline, "Great Expectations keeps a session open"
        time.sleep(0.1)


def test_a_killed_validation_leaves_nothing_and_can_be_run_again(store, pipeline_url, tmp_path):
    batch_id = add_batch(store, homes(30))
    payload = TaskInput(task="validate", dag_id="d", run_id="r", inputs={"batch_id": batch_id})
    store.execute("LOCK TABLE audit.validations IN SHARE MODE")
    step = subprocess.Popen(
        [sys.executable, "-m", "ct_validate", "--result", str(tmp_path / "result.json")],
        env={**os.environ, "CT_DATABASE_URL": pipeline_url, "CT_INPUT": payload.to_json()},
        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND relation = 'audit.validations'::regclass"
    deadline = time.monotonic() + 120
    while store.execute(waiting).fetchone()["n"] == 0:
        assert step.poll() is None, "the step ended before it wrote"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    step.send_signal(signal.SIGKILL)
    step.wait(10)
    store.rollback()
    assert not (tmp_path / "result.json").exists()
    assert kept(store, batch_id) is None
    assert run(batch_id)["failed"] == 0
