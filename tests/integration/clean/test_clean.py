"""Cleaning on a real PostgreSQL, with the rights of the tasks."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import psycopg
import pytest
from ct_clean.step import clean
from ct_contract import BadDataError, TaskInput
from ct_store.connection import connect
from house_prices import cleaning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration

_spec = importlib.util.spec_from_file_location("batches", Path(__file__).with_name("batches.py"))
batches = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(batches)
row, homes, add_batch = batches.row, batches.homes, batches.add_batch


@pytest.fixture
def store(database_url, pipeline_url, monkeypatch):
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    with connect("test", database_url) as connection:
        yield connection


def run(batch_id):
    return clean(TaskInput(task="clean", dag_id="d", run_id="r", inputs={"batch_id": batch_id})).summary


def quarantine(connection):
    rows = connection.execute("SELECT row_number, rule, detail FROM clean.quarantine ORDER BY batch_id, row_number").fetchall()
    connection.commit()
    return [(r["row_number"], r["rule"], r["detail"]) for r in rows]


def listings(connection):
    rows = connection.execute("SELECT * FROM clean.listings ORDER BY batch_id, row_number").fetchall()
    connection.commit()
    return rows


def test_a_sound_row_arrives_typed(store):
    run(add_batch(store, [row()]))
    (found,) = listings(store)
    assert (found["zip_code"], found["property_key"], found["brokered_by"]) == ("06016", "1758218|06016", 101640)
    assert str(found["prev_sold_date"]) == "1999-09-30"


BROKEN = [
    ({"price": None}, "PRICE_UNREADABLE", "nothing"),
    ({"price": None, "other": {"price": "cheap"}}, "PRICE_UNREADABLE", "cheap"),
    ({"price": None, "other": {"price": "9" * 400}}, "PRICE_UNREADABLE", "9" * 400),
    ({"price": 1.0}, "PRICE_BELOW_10000", "1"),
    ({"price": 2e9}, "PRICE_ABOVE_1_BILLION", "2000000000"),
    ({"status": " "}, "STATUS_MISSING", "nothing"),
    ({"state": None}, "STATE_MISSING", "nothing"),
    ({"street": None}, "STREET_MISSING", "nothing"),
    ({"street": 1e300}, "STREET_MISSING", "nothing"),
    ({"zip_code": None, "other": {"zip_code": "SW1A"}}, "ZIP_CODE_INVALID", "SW1A"),
    ({"zip_code": 100000.0}, "ZIP_CODE_INVALID", "100000"),
    ({"zip_code": 601.5}, "ZIP_CODE_INVALID", "601.5"),
    ({"bed": 99.0}, "BED_IMPLAUSIBLE", "99"),
    ({"bath": 198.0}, "BATH_IMPLAUSIBLE", "198"),
    ({"house_size": 684327.0}, "HOUSE_SIZE_IMPLAUSIBLE", "684327"),
]


@pytest.mark.parametrize(("change", "rule", "found"), BROKEN)
def test_a_broken_row_is_in_quarantine_with_its_rule_and_value(store, change, rule, found):
    done = run(add_batch(store, [row(), row(**{"street": 5.0, **change})]))
    assert (done["rows_accepted"], done["rows_quarantined"]) == (1, 1)
    assert quarantine(store) == [(2, rule, found)]


def test_every_rule_is_tested():
    assert {rule.name for rule in cleaning.QUARANTINE} == {rule for _, rule, _ in BROKEN}


def test_values_that_arrived_as_text_are_read(store):
    text = row(price=None, zip_code=None, other={"price": "289900", "zip_code": "06016"})
    run(add_batch(store, [text]))
    (found,) = listings(store)
    assert (found["price"], found["zip_code"]) == (289900.0, "06016")


def test_an_unknown_lot_is_unknown_and_the_row_stays(store):
    run(add_batch(store, [row(acre_lot=100000.0)]))
    assert listings(store)[0]["acre_lot"] is None


def test_a_wrong_date_or_missing_optional_value_is_null_and_the_row_stays(store):
    run(add_batch(store, [row(prev_sold_date="2020-02-31", bed=None, city=None, brokered_by=None, house_size=None)]))
    found = listings(store)[0]
    assert [found[n] for n in ("prev_sold_date", "bed", "city", "brokered_by", "house_size")] == [None] * 5


def test_exact_repeats_are_quarantined_within_and_between_batches(store):
    run(add_batch(store, [row(), row(), row(bed=None, street=7.0), row(bed=None, street=7.0)], 0))
    second = add_batch(store, [row(brokered_by=5.0), row(bed=None, street=7.0)], 1)
    done = run(second)
    assert done["rows_accepted"] == 0
    first = store.execute("SELECT min(batch_id) AS id FROM raw.batches").fetchone()["id"]
    assert quarantine(store) == [
        (2, "DUPLICATE_LISTING", "the same listing as in this batch"),
        (4, "DUPLICATE_LISTING", "the same listing as in this batch"),
        (1, "DUPLICATE_LISTING", f"the same listing as in batch {first}, row 1"),
        (2, "DUPLICATE_LISTING", f"the same listing as in batch {first}, row 3"),
    ]


def test_a_relisting_is_kept_marked_and_on_the_same_side(store):
    run(add_batch(store, homes(300), 0))
    done = run(add_batch(store, homes(300, status="sold"), 1))
    assert (done["rows_accepted"], done["rows_new"], done["rows_relisted"]) == (300, 0, 300)
    sides = {}
    for found in listings(store):
        sides.setdefault(found["property_key"], set()).add((found["bucket"], found["split"]))
    assert all(len(side) == 1 for side in sides.values())


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 99999)), min_size=1, max_size=20, unique=True))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_split_is_a_hash_of_the_home_and_nothing_else(store, keys):
    number = store.execute("SELECT count(*) AS n FROM raw.batches").fetchone()["n"]
    run(add_batch(store, [row(street=float(street), zip_code=float(zip_code)) for street, zip_code in keys], number))
    names = ["test"] * 20 + ["validation"] * 7 + ["calibration"] * 7 + ["train"] * 66
    for found in listings(store):
        bucket = int(hashlib.md5(found["property_key"].encode(), usedforsecurity=False).hexdigest()[:8], 16) % 100
        assert (found["bucket"], found["split"]) == (bucket, names[bucket])


def test_cleaning_again_changes_nothing_and_gives_the_same_bytes(store, database_url):
    batch_id = add_batch(store, [*homes(50), row(price=1.0)])
    first = run(batch_id)
    before = listings(store)
    assert run(batch_id) == first
    assert listings(store) == before
    with psycopg.connect(database_url) as connection:
        for table in ("batches", "listings", "quarantine"):
            connection.execute(f"DELETE FROM clean.{table}")
    assert run(batch_id) == first
    assert listings(store) == before


def test_a_killed_cleaning_leaves_nothing_and_gives_the_same_bytes_again(store, pipeline_url, database_url, tmp_path):
    batch_id = add_batch(store, [*homes(50), row(price=1.0)])
    payload = TaskInput(task="clean", dag_id="d", run_id="r", inputs={"batch_id": batch_id})
    store.execute("LOCK TABLE clean.batches IN SHARE MODE")
    step = subprocess.Popen(
        [sys.executable, "-m", "ct_clean", "--result", str(tmp_path / "result.json")],
        env={**os.environ, "CT_DATABASE_URL": pipeline_url, "CT_INPUT": payload.to_json()},
        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND relation = 'clean.batches'::regclass"
    deadline = time.monotonic() + 120
    while store.execute(waiting).fetchone()["n"] == 0:
        assert step.poll() is None, "the step ended before it was done writing"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    step.send_signal(signal.SIGKILL)
    step.wait(10)
    store.rollback()
    again = run(batch_id)
    assert (again["rows_accepted"], again["rows_quarantined"]) == (50, 1)
    before = listings(store)
    assert len(before) == 50
    with psycopg.connect(database_url) as connection:
        for table in ("batches", "listings", "quarantine"):
            connection.execute(f"DELETE FROM clean.{table}")
    assert run(batch_id) == again
    assert listings(store) == before


def test_two_cleanings_at_once_write_the_batch_once(store):
    batch_id = add_batch(store, homes(200))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, [batch_id, batch_id])
    assert first == second
    assert len(listings(store)) == 200


def test_only_earlier_batches_count_whatever_was_cleaned_first(store):
    early, late = add_batch(store, homes(20), 0), add_batch(store, homes(20, status="sold"), 1)
    assert run(late)["rows_relisted"] == 0
    assert run(early)["rows_relisted"] == 0


def test_an_unknown_batch_is_an_error_with_a_way_out(store):
    with pytest.raises(BadDataError, match="run collect first"):
        run(99)


def test_a_date_is_read_if_the_calendar_has_it(store):
    """Every day that may be written in months of each length, by the calendar of Python."""
    written = [
        f"{year}-{month:02d}-{day:02d}"
        for year in ("0000", "0001", "1900", "2000", "2023", "2024", "9999")
        for month in range(14)
        for day in range(33)
    ]
    written += ["2020-1-01", "2020-01-1", "20200101", "2020-01-01T00:00:00", " 2020-01-01", "", "infinity", "2020-00-00"]
    rows = store.execute(
        f"SELECT prev_sold_date, ({cleaning.date_as_read('prev_sold_date')})::text AS read FROM unnest(%s::text[]) "
        "AS r(prev_sold_date)",
        (written,),
    ).fetchall()
    assert {found["prev_sold_date"]: found["read"] for found in rows} == {text: by_the_calendar(text) for text in written}


def by_the_calendar(text):
    try:
        return str(date.fromisoformat(text)) if len(text) == 10 else None
    except ValueError:
        return None
