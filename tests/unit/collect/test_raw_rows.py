"""Rows are packed for COPY without losing anything."""

import struct

import pytest
from ct_collect.raw_rows import DELIVERED, NUMBERS, TEXTS, RowPacker, TooManyColumnsError, storable
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

ROW = {name: 1.5 if name in NUMBERS else f"a {name}" for name in DELIVERED}


def unpacked(data):
    """COPY data as tuples of raw fields; None for null."""
    rows, position = [], 0
    while position < len(data):
        (count,) = struct.unpack_from("!h", data, position)
        position += 2
        fields = []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", data, position)
            position += 4
            fields.append(None if length < 0 else data[position : position + length])
            position += max(length, 0)
        rows.append(tuple(fields))
    return rows


def numbers_and_texts(row):
    return [struct.pack("!d", row[name]) for name in NUMBERS] + [row[name].encode() for name in TEXTS]


STORABLE = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))
DOCUMENTED = st.fixed_dictionaries({name: st.floats(allow_nan=False) if name in NUMBERS else STORABLE for name in DELIVERED})


@given(st.lists(DOCUMENTED, max_size=5), st.permutations(DELIVERED))
def test_documented_rows_are_packed_bit_by_bit_in_any_order_of_columns(rows, order):
    packer = RowPacker(7)
    first = packer.pack(rows)
    second = packer.pack([{name: row[name] for name in order} for row in rows])
    fields = unpacked(first + second)
    assert [struct.unpack("!qi", field[0] + field[1]) for field in fields] == [(7, i + 1) for i in range(2 * len(rows))]
    assert [list(field[2:]) for field in fields] == [[*numbers_and_texts(row), None, None] for row in rows * 2]


def pack_one(**changes):
    packer = RowPacker(1)
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    (fields,) = unpacked(packer.pack([row]))
    return dict(zip((*NUMBERS, *TEXTS, "other", "missing"), fields[2:], strict=True)), packer.schema_seen()


@pytest.mark.parametrize("value", ["1.5", True, [1], {"a": None}, 2**53 + 1, 2**64 - 1])
def test_a_value_that_is_no_number_is_kept_whole(value):
    import orjson

    fields, _ = pack_one(price=value)
    assert fields["price"] is None
    assert fields["other"][:1] == b"\x01"
    assert orjson.loads(fields["other"][1:]) == {"price": value}


def test_whole_numbers_without_a_point_are_numbers():
    fields, seen = pack_one(price=250_000)
    assert fields["price"] == struct.pack("!d", 250_000.0)
    assert fields["other"] is None
    assert seen["price"] == {"null": 0, "number": 1, "missing": 0}


def test_an_unknown_column_is_kept_and_an_absent_one_named():
    fields, seen = pack_one(pool=True, city=..., bed=None)
    assert fields["other"] == b'\x01{"pool":true}'
    assert fields["city"] is fields["bed"] is None
    assert fields["missing"].endswith(b"\0\0\0\x04city")
    assert seen["pool"] == {"null": 0, "boolean": 1, "missing": 0}
    assert seen["city"] == {"null": 0, "missing": 1}
    assert seen["bed"] == {"null": 1, "missing": 0}


def test_a_text_with_nul_is_kept_as_its_json():
    fields, _ = pack_one(city="San\0Juan")
    assert fields["city"] is None
    assert fields["other"] == b'\x01{"city":{"json":"\\"San\\\\u0000Juan\\""}}'
    assert b"\\u0000" not in fields["other"].replace(b"\\\\u0000", b"")


def test_nul_is_found_at_any_depth_and_in_names():
    assert storable({"a\0": 1, "b": [{"c\0": 1}], "d": "e"}) == {
        "a\\u0000": 1, "b": {"json": '[{"c\\u0000":1}]'}, "d": "e",
    }  # fmt: skip


ANY_ROW = st.dictionaries(
    st.sampled_from([*DELIVERED, "pool"]), st.none() | st.booleans() | st.integers(-9, 9) | st.just(2.5) | st.text(max_size=2)
)


@given(st.lists(st.lists(ANY_ROW | st.just(ROW), max_size=6), max_size=4))
def test_every_row_is_counted_once_in_every_column(blocks):
    packer = RowPacker(1)
    for block in blocks:
        packer.pack(block)
    rows = [row for block in blocks for row in block]
    seen = packer.schema_seen()
    assert set(seen) == set(DELIVERED) | {name for row in rows for name in row}
    for name, counts in seen.items():
        assert sum(counts.values()) == len(rows)
        assert counts["missing"] == sum(name not in row for row in rows)
        assert counts["null"] == sum(name in row and row[name] is None for row in rows)
        assert counts.get("string", 0) == sum(isinstance(row.get(name), str) for row in rows)


def test_columns_without_end_are_refused():
    with pytest.raises(TooManyColumnsError):
        RowPacker(1).pack([{f"column {i}": i} for i in range(600)])
