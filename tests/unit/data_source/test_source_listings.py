from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from ct_data_source import listings
from ct_data_source.columns import COLUMNS, SCHEMA
from ct_data_source.listings import ListingsFileError, batches, read_complete

pytestmark = pytest.mark.unit

BASE = {
    "brokered_by": 7.0, "status": "for_sale", "price": 250000.0, "bed": 3.0, "bath": 2.0, "acre_lot": 0.2, "street": 1.0,
    "city": "Salem", "state": "Ohio", "zip_code": 44460.0, "house_size": 1600.0, "prev_sold_date": "2010-05-06",
}  # fmt: skip
KINDS: list[dict[str, Any]] = [
    {},
    {"house_size": 1499.0},
    {"status": "sold"},
    {"state": "Massachusetts"},
    {"price": 300_000.5},
    {"price": 500_001.0, "status": "sold"},
]


def rows(copies: int) -> list[dict[str, Any]]:
    return [{**BASE, **kind, "street": float(copy * 10 + batch)} for copy in range(copies) for batch, kind in enumerate(KINDS)]


def written(folder: Path, content: list[dict[str, Any]], suffix: str) -> Path:
    file, table = folder / f"listings{suffix}", pa.Table.from_pylist(content, schema=SCHEMA)
    if suffix == ".csv":
        pyarrow.csv.write_csv(table, file)
    else:
        pyarrow.parquet.write_table(table, file)
    return file


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_is_cut_by_the_rule(tmp_path: Path, suffix: str) -> None:
    file = written(tmp_path, rows(4), suffix)
    cut = list(batches(file, 100, 0))
    assert [batch["street"].to_pylist() for batch in cut] == [
        [float(copy * 10 + number) for copy in range(4)] for number in range(6)
    ]
    assert all(tuple(batch.column_names) == COLUMNS for batch in cut)
    assert cut[0].slice(0, 1).to_pylist() == [{**BASE, "street": 0.0}]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("column", COLUMNS)
def test_rows_with_a_gap_are_left_out(tmp_path: Path, suffix: str, column: str) -> None:
    content = rows(2)
    content[2] = {**content[2], column: None}
    left = read_complete(written(tmp_path, content, suffix))
    assert left.to_pylist() == content[:2] + content[3:]


def test_not_a_number_is_a_gap(tmp_path: Path) -> None:
    content = rows(2)
    content[0] = {**content[0], "bed": float("nan")}
    assert read_complete(written(tmp_path, content, ".parquet")).num_rows == len(content) - 1


def test_for_sale_comes_first_and_else_the_order_stays(tmp_path: Path) -> None:
    status = ["sold", "for_sale", "sold", "for_sale"]
    content = [{**BASE, "price": 4e5, "street": float(street), "status": status[street]} for street in range(4)]
    (batch,) = batches(written(tmp_path, content, ".parquet"), 100, 0)
    assert batch["street"].to_pylist() == [1.0, 3.0, 0.0, 2.0]


def test_a_scale_samples_each_batch_the_same_way_twice(tmp_path: Path) -> None:
    file = written(tmp_path, rows(40), ".parquet")
    first, again, other = (list(batches(file, 25, seed)) for seed in (0, 0, 1))
    assert [batch.num_rows for batch in first] == [10] * 6
    assert all(one.equals(two) for one, two in zip(first, again, strict=True))
    assert not first[0].equals(other[0])
    streets = first[0]["street"].to_pylist()
    assert streets == sorted(set(streets))


def test_an_empty_batch_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = [row for row in rows(2) if row["state"] != "Massachusetts"]
    assert len(list(batches(written(tmp_path, content, ".csv"), 100, 0))) == 5
    assert "no listing belongs to batch 3" in caplog.text


def test_listings_of_another_status_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = [*rows(1), {**BASE, "status": "ready_to_build"}]
    assert sum(batch.num_rows for batch in batches(written(tmp_path, content, ".csv"), 100, 0)) == 6
    assert "1 complete listings belong to no batch" in caplog.text


def test_columns_may_come_in_any_order_and_with_more(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows(1), schema=SCHEMA)
    shuffled = table.select(list(reversed(COLUMNS))).append_column("extra", pa.array(["x"] * 6))
    pyarrow.csv.write_csv(shuffled, tmp_path / "a.csv")
    pyarrow.parquet.write_table(shuffled, tmp_path / "a.parquet")
    assert read_complete(tmp_path / "a.csv").equals(read_complete(tmp_path / "a.parquet"))
    assert read_complete(tmp_path / "a.csv").column_names == list(COLUMNS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"price,bed\n1,2\n", "lacks the column brokered_by"),
        ("a.csv", b"", "lacks the column"),
        ("a.csv", b"\xff\xfe\x00", "lacks the column"),
        ("a.parquet", b"not parquet", "not a listings file"),
        ("a.csv", ",".join(COLUMNS).encode() + b"\n" + b"x," * 11 + b"x\n", "not a listings file"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ListingsFileError, match=words):
        read_complete(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListingsFileError, match="cannot be read"):
        listings.file_digest(tmp_path / "no.csv")
    with pytest.raises(ListingsFileError, match="not a listings file"):
        read_complete(tmp_path / "no.csv")


def test_a_file_without_any_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListingsFileError, match="no complete listing"):
        list(batches(written(tmp_path, [{**BASE, "bed": None}], ".csv"), 100, 0))
