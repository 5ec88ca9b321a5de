"""Validation with the real Great Expectations on a real PostgreSQL, with the rights of the tasks."""

import importlib.util
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ct_contract import BadDataError, TaskInput
from ct_store.connection import connect
from ct_store.ledger import find_decision
from ct_validate.step import validate

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
    assert "price expect_column_values_to_not_be_null (100%)" in error.message
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
    assert "repetition expect_column_values_to_be_between (96.7%)" in error.message


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
