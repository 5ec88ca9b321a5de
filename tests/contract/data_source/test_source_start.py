"""Starting the replica: feeds, second starts, and refusals that say what to do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

pytestmark = pytest.mark.contract

Start = Callable[..., Any]
ROW = {
    "brokered_by": 101640.0, "status": "for_sale", "price": 289900.0, "bed": 4.0, "bath": 2.0, "acre_lot": 0.38,
    "street": 1758218.0, "city": "East Windsor", "state": "Connecticut", "zip_code": 6016.0, "house_size": 1617.0,
    "prev_sold_date": "1999-09-30",
}  # fmt: skip
"""The documented example row."""
KINDS: list[dict[str, Any]] = [
    {}, {"house_size": 900.0}, {"status": "sold"}, {"state": "Massachusetts"}, {"price": 300_001.0}, {"price": 500_001.0},
]  # fmt: skip


@pytest.fixture
def listings(tmp_path: Path) -> Path:
    rows = [{**ROW, **kind} for kind in KINDS for _ in range(3)]
    rows += [{**ROW, "bed": None}, {**ROW, "price": None}]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "listings.parquet")
    columns = list(ROW)
    lines = [",".join("" if row[name] is None else str(row[name]) for name in columns) for row in rows]
    (tmp_path / "listings.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
    return tmp_path


@pytest.mark.parametrize("name", ["listings.parquet", "listings.csv"])
def test_a_listings_file_is_served_by_the_rule(start: Start, listings: Path, name: str) -> None:
    server = start("--listings", str(listings / name)).wait()
    for number, kind in enumerate(KINDS):
        body = server.get("/data?group_number=9&day=Tuesday").body
        expected = {"group_number": 9, "day": "Tuesday", "batch_number": number, "data": [{**ROW, **kind}] * 3}
        assert body == json.dumps(expected).encode()
    assert server.get("/data?group_number=9&day=Tuesday").status == 400


def test_a_second_start_renders_nothing(start: Start, tmp_path: Path) -> None:
    options = ("--cache", str(tmp_path / "own"), "--scale", "1")
    first = start(*options).wait()
    body = first.get("/data?group_number=1&day=Tuesday").body
    first.stop()
    (folder,) = (tmp_path / "own").iterdir()
    written = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = start(*options).wait()
    assert again.get("/data?group_number=1&day=Tuesday").body == body
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == written


def test_a_start_that_was_killed_leaves_nothing_that_is_trusted(start: Start, tmp_path: Path) -> None:
    options = ("--cache", str(tmp_path / "own"), "--scale", "10")
    killed = start(*options)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("own/.*/batch-0.json")) and time.monotonic() < end:
        time.sleep(0.002)
    killed.process.kill()
    killed.process.wait()
    assert not [path for path in (tmp_path / "own").iterdir() if not path.name.startswith(".")]
    server = start(*options).wait()
    assert len(server.get("/data?group_number=1&day=Tuesday").json["data"]) == 7_378


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (None, ["--listings", "absent.csv"], "cannot be read"),
        (("bad.csv", "price,bed\n1,2\n"), ["--listings", "bad.csv"], "lacks the column brokered_by"),
        (("cursors.json", "{"), ["--state", "cursors.json"], "delete it to begin at batch 0"),
        (("file", ""), ["--cache", "file"], "did not start"),
    ],
)
def test_a_start_that_cannot_work_says_why(
    start: Start, tmp_path: Path, make: tuple[str, str] | None, options: list[str], words: str
) -> None:
    if make is not None:
        (tmp_path / make[0]).write_text(make[1])
    server = start(*options)
    assert server.process.wait(60) == 1
    text = server.log.read_text()
    assert words in text
    assert "Traceback" not in text


def test_a_taken_port_is_named(start: Start) -> None:
    port = start().wait().address.split(":")[1]
    second = start("--port", port)
    assert second.process.wait(60) == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in second.log.read_text()
