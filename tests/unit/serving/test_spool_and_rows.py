from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from ct_serving.raw_table import InferenceRow, beginning, encode, without_nul
from ct_serving.settings import Settings
from ct_serving.spool import FILE_NAME, Spool, SpoolFullError
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.none() | st.floats(1, 1e9), st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_row_is_one_json_array_of_its_columns_and_begins_with_its_request(value, price, moment, request_id):
    row = InferenceRow(request_id, 3, moment, moment, "ok", 200, "m", "1", input=value, price=price, warnings=[], client="c")
    text = encode(row)
    assert text.startswith(beginning(request_id))
    read = dict(zip(InferenceRow._fields, orjson.loads(text), strict=True))
    assert read["input"] == without_nul(value)
    assert read["price"] == price
    assert datetime.fromisoformat(read["received_at"]) == moment


@given(JSON)
def test_no_nul_is_left(value):
    assert b"\\u0000" not in orjson.dumps(without_nul(value)).replace(b"\\\\", b"")


def test_nothing_but_nul_is_changed():
    assert without_nul({"a\0": ["\0b", {"c": "\\u0000"}], "d": 1}) == {"a\N{REPLACEMENT CHARACTER}": [
        "\N{REPLACEMENT CHARACTER}b", {"c": "\\u0000"}], "d": 1}  # fmt: skip


def test_rows_wait_in_order_over_a_restart(tmp_path: Path):
    spool = Spool(tmp_path, max_rows=10)
    spool.append([b"1", b"2"])
    spool.append([b"3"])
    first, second = spool.peek(2)
    spool.remove_to(second[0])
    assert len(spool) == 1
    assert first[0] < second[0]
    spool.close()
    again = Spool(tmp_path, max_rows=10)
    assert len(again) == 1
    assert [row for _, row in again.peek(5)] == [b"3"]
    again.append([b"4" * 5, b"5"])
    assert [len(again.peek(5, most_bytes)) for most_bytes in (0, 6, 7)] == [1, 2, 3]


def test_the_cap_holds_and_a_refused_call_keeps_nothing(tmp_path: Path):
    spool = Spool(tmp_path, max_rows=3)
    spool.append([b"1", b"2"])
    with pytest.raises(SpoolFullError):
        spool.append([b"3", b"4"])
    assert len(spool) == 2
    spool.append([b"3"])
    assert [row for _, row in spool.peek(9)] == [b"1", b"2", b"3"]


def test_a_file_that_is_no_spool_is_kept_aside(tmp_path: Path):
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, and longer than a header of SQLite" * 40)
    spool = Spool(tmp_path, max_rows=3)
    spool.append([b"1"])
    (aside,) = tmp_path.glob("*.unreadable-*")
    assert aside.read_bytes().startswith(b"this is no database")


def test_what_sqlite_keeps_beside_the_file_is_kept_aside_with_it(tmp_path: Path):
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, and longer than a header of SQLite" * 40)
    (tmp_path / f"{FILE_NAME}-wal").write_bytes(b"rows that were said to be safe")
    Spool(tmp_path, max_rows=3).close()
    (aside,) = tmp_path.glob("*.unreadable-*-wal")
    assert aside.read_bytes() == b"rows that were said to be safe"


def test_settings_name_the_variable_at_fault():
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"CT_RELOAD_SECONDS": "0.5"}).reload_seconds == 0.5
    for value in ("soon", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match="CT_RELOAD_SECONDS"):
            Settings.from_environment({"CT_RELOAD_SECONDS": value})


def test_rows_of_one_request_differ_by_number():
    moment = datetime.now(UTC)
    assert isinstance(uuid4(), UUID)
    one, two = (InferenceRow(UUID(int=1), number, moment, moment, "ok", 200) for number in (0, 1))
    assert one != two
