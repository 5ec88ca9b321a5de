"""Rows of CLEAN as they arrive in Python, against a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import psycopg
import pytest
from house_prices.frames import COLUMNS, frame_digest, read_listings

pytestmark = pytest.mark.integration

ROWS = [
    # batch, row, key, bucket, split, relisted, broker, status, price, bed, bath, acre, street, city, state, zip, size, sold
    (2, 2, "3|00601", 70, "train", True, None, "sold", 1e5, None, 1.0, 0.1, 3, "Adjuntas", "Puerto Rico", "00601", None, None),
    (
        2,
        1,
        "2|94110",
        5,
        "test",
        False,
        7,
        "for_sale",
        9e5,
        3,
        2,
        None,
        2,
        'San, "Fran"',
        "California",
        "94110",
        1200,
        "2021-12-31",
    ),
    (
        1,
        1,
        "1|10001",
        25,
        "validation",
        False,
        9,
        "for_sale",
        123456.78,
        2,
        1,
        0.3333333333333333,
        1,
        None,
        "New York",
        "10001",
        800,
        None,
    ),
]


@pytest.fixture
def connection(database_url, pipeline_url):
    with psycopg.connect(database_url, autocommit=True) as owner:
        for row in ROWS:
            owner.execute(f"INSERT INTO clean.listings VALUES ({', '.join(['%s'] * len(row))})", row)
    with psycopg.connect(pipeline_url) as connection:
        yield connection


def test_rows_come_typed_and_in_order(connection):
    frame = read_listings(connection)
    assert list(frame.columns) == list(COLUMNS)
    assert list(zip(frame.batch_id, frame.row_number, strict=True)) == [(1, 1), (2, 1), (2, 2)]
    assert list(frame.zip_code) == ["10001", "94110", "00601"]
    assert frame.price[0] == 123456.78
    assert frame.acre_lot[0] == 0.3333333333333333
    assert list(frame.relisted) == [False, False, True]
    assert frame.relisted.dtype == bool
    assert frame.city[1] == 'San, "Fran"'
    assert frame.prev_sold_date[1] == "2021-12-31"
    assert frame[["bed", "house_size", "brokered_by", "prev_sold_date"]].loc[2].isna().all()
    assert pd.isna(frame.city[0])


def test_splits_and_batches_choose_rows(connection):
    assert list(read_listings(connection, splits=["test", "train"]).batch_id) == [2, 2]
    assert list(read_listings(connection, batch_ids=[1]).property_key) == ["1|10001"]
    nothing = read_listings(connection, splits=["calibration"])
    assert len(nothing) == 0
    assert list(nothing.columns) == list(COLUMNS)
    assert nothing.relisted.dtype == bool


def test_the_digest_is_of_the_data_alone(connection, tmp_path):
    frame = read_listings(connection)
    digest = frame_digest(frame)
    assert frame_digest(frame.astype({"city": object, "zip_code": str}).set_axis([7, 8, 9])) == digest
    assert frame_digest(frame.iloc[::-1]) != digest
    assert frame_digest(frame.assign(price=frame.price + 1e-9)) != digest
    assert frame_digest(frame.assign(city=frame.city.astype(object).fillna(""))) != digest
    path = tmp_path / "frame.pickle"
    frame.to_pickle(path)
    program = (
        f"import pandas; from house_prices.frames import frame_digest; print(frame_digest(pandas.read_pickle({str(path)!r})))"
    )
    again = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == digest
