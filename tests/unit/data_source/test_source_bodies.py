from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ct_data_source import bodies
from ct_data_source.bodies import END, rendered, separators, store
from ct_data_source.columns import COLUMNS, SCHEMA, TEXT_COLUMNS
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

FINITE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**18), 10**18).map(float),
    st.sampled_from([0.38, 1e16, -0.0]),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ROW = st.fixed_dictionaries({name: TEXT if name in TEXT_COLUMNS else FINITE for name in COLUMNS})
EXAMPLE = {
    "brokered_by": 101640.0, "status": "for_sale", "price": 289900.0, "bed": 4.0, "bath": 2.0, "acre_lot": 0.38,
    "street": 1758218.0, "city": "East Windsor", "state": "Connecticut", "zip_code": 6016.0, "house_size": 1617.0,
    "prev_sold_date": "1999-09-30",
}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.sampled_from(["spaced", "compact"]))
def test_rows_are_what_json_writes(rows: list[dict[str, Any]], layout: bodies.Layout) -> None:
    ordered = [{name: row[name] for name in COLUMNS} for row in rows]
    expected = json.dumps(ordered, ensure_ascii=False, separators=separators(layout))
    assert b"[" + b"".join(rendered(table(rows), layout)) + b"]" == expected.encode()


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "CHUNK_ROWS", 3)
    rows = [{**EXAMPLE, "street": float(number)} for number in range(10)]
    chunks = list(rendered(table(rows), "spaced"))
    assert len(chunks) == 4
    assert b"[" + b"".join(chunks) + b"]" == json.dumps(rows).encode()


def test_a_body_has_the_documented_bytes(tmp_path: Path) -> None:
    batch = store(tmp_path, {"kind": "test"}, "compact", lambda: [table([EXAMPLE])])[0]
    body = batch.head(9, "Tuesday", "compact") + batch.file.read_bytes() + END
    assert body == (
        b'{"group_number":9,"day":"Tuesday","batch_number":0,"data":[{"brokered_by":101640.0,"status":"for_sale",'
        b'"price":289900.0,"bed":4.0,"bath":2.0,"acre_lot":0.38,"street":1758218.0,"city":"East Windsor",'
        b'"state":"Connecticut","zip_code":6016.0,"house_size":1617.0,"prev_sold_date":"1999-09-30"}]}'
    )
    assert batch.head(9, None, "spaced") == b'{"group_number": 9, "batch_number": 0, "data": ['


class Feed:
    def __init__(self, batches: int = 3) -> None:
        self.batches, self.made = batches, 0

    def __call__(self) -> Iterator[pa.Table]:
        self.made += 1
        return (table([{**EXAMPLE, "price": float(number)}]) for number in range(self.batches))


def test_a_rendered_feed_is_found_again(tmp_path: Path) -> None:
    feed = Feed()
    first = store(tmp_path, {"seed": 1}, "spaced", feed)
    assert store(tmp_path, {"seed": 1}, "spaced", feed) == first
    assert feed.made == 1
    assert [batch.number for batch in first] == [0, 1, 2]
    store(tmp_path, {"seed": 2}, "spaced", feed)
    store(tmp_path, {"seed": 1}, "compact", feed)
    assert feed.made == 3


def test_a_damaged_feed_is_made_again(tmp_path: Path) -> None:
    feed = Feed()
    batch = store(tmp_path, {"seed": 1}, "spaced", feed)[2]
    batch.file.write_bytes(batch.file.read_bytes()[:-1])
    assert store(tmp_path, {"seed": 1}, "spaced", feed)[2].file.stat().st_size == batch.size
    (batch.file.parent / "manifest.json").write_text("{")
    assert store(tmp_path, {"seed": 1}, "spaced", feed)[2].sha256 == batch.sha256
    assert feed.made == 3


def test_a_feed_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.Table]:
        yield table([EXAMPLE])
        raise RuntimeError("out of listings")

    with pytest.raises(RuntimeError, match="out of listings"):
        store(tmp_path, {"seed": 1}, "spaced", broken)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_start_left_goes_after_a_while(tmp_path: Path) -> None:
    old, young = tmp_path / ".abc-old", tmp_path / ".abc-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "batch-0.json").write_text("{")
    past = time.time() - 2 * bodies.ABANDONED_SECONDS
    os.utime(old, (past, past))
    store(tmp_path, {"seed": 1}, "spaced", Feed())
    assert not old.exists()
    assert young.exists()
