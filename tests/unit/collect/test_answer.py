"""The streamed reader gives what parsing the whole body gives, wherever the body is cut."""

import gc
import json
import time
import tracemalloc

import orjson
import pytest
from ct_collect.answer import MOST_ENVELOPE_BYTES, MOST_ROW_BYTES, AnswerReader, InvalidAnswerError
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

NASTY = st.sampled_from(
    ["},{", "}, {", "}]}", "[{", '"', '\\"', "\\", '"data":[', '{"data": [{', "}\n,\n{", "é}", "🏠,{", "\u2028", "\0", "]", ","]
)
TEXTS = st.lists(NASTY | st.text(max_size=4), max_size=4).map("".join)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=12)
ENVELOPES = st.dictionaries(TEXTS.filter(lambda name: name != "data"), VALUES, max_size=3)
LAYOUTS = st.sampled_from([{}, {"separators": (",", ":")}, {"indent": 1}, {"indent": "\t\r\n "}, {"ensure_ascii": False}])


def chunked(body, sizes):
    position = turn = 0
    while position < len(body):
        size = sizes[turn % len(sizes)]
        yield body[position : position + size]
        position, turn = position + size, turn + 1


def read(body, sizes=(65_536,), block_bytes=1 << 20):
    reader = AnswerReader(chunked(body, sizes), block_bytes)
    rows = [row for block in reader for row in block]
    return rows, reader.envelope


PIECES = st.tuples(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 200))


@given(ROWS, ENVELOPES, ENVELOPES, LAYOUTS, PIECES)
def test_any_answer_in_any_pieces_is_read_whole(rows, before, after, layout, pieces):
    after = {name: value for name, value in after.items() if name not in before}
    body = json.dumps({**before, "data": rows, **after}, **layout).encode("utf-8", "surrogatepass")
    expected = orjson.loads(body)
    assert expected.pop("data") == rows
    assert read(body, *pieces) == (rows, expected)


@given(ROWS, ENVELOPES, LAYOUTS, st.data())
def test_a_cut_body_is_never_taken_for_a_whole_one(rows, before, layout, data):
    body = json.dumps({**before, "data": rows}, **layout).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(InvalidAnswerError) as raised:
        read(body[:cut], (7,), data.draw(st.integers(1, 100)))
    assert raised.value.ended_early


@given(ROWS, ENVELOPES, st.data())
def test_a_damaged_body_is_read_only_if_it_is_still_json(rows, before, data):
    body = bytearray(json.dumps({**before, "data": rows}).encode())
    position = data.draw(st.integers(0, len(body) - 1))
    body[position] = data.draw(st.integers(0, 255))
    try:
        got = read(bytes(body), (11,), data.draw(st.integers(1, 100)))
    except InvalidAnswerError:
        return
    expected = orjson.loads(bytes(body))
    assert got == (expected.pop("data"), expected)


def test_the_envelope_before_the_rows_is_known_before_they_are_read():
    def chunks():
        yield b'{"batch_number": 3, "data": [{"a": 1}'
        raise AssertionError("read on")

    assert AnswerReader(chunks()).head() == {"batch_number": 3}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"<html>gone</html>", "not JSON"),
        (b"[1, 2]", "a JSON list"),
        (b'{"batch_number": 1}', "no list of rows under 'data': the body is an object with ['batch_number']"),
        (b'{"data": {"a": 1}}', "no list of rows"),
        (b'{"data": null}', "no list of rows"),
        (b'{"data": [1, 2]}', "a row is a JSON int"),
        (b'{"data": [{"a": 1}, [2]]}', "a row is a JSON list"),
        (b'{"data": [{"a": 1},]}', "not JSON"),
        (b'{"data": [{"a": 1} {"a": 2}]}', "not JSON"),
        (b'{"data": [{"a": NaN}]}', "not JSON"),
        (b'{"data": [{"a": 1}}]}', "bracket"),
        (b'{"data": [{"a": "\xff"}]}', "not JSON"),
        (b'{"data": [{"a": "\\ud800"}]}', "not JSON"),
        (b'{"data": [{"a": 1}]} and more', "not JSON"),
        (b'{"data": [{"a": 1}], "data": [{"a": 2}]}', "twice"),
        (b'{"batch_number": 1, "data": [{"a": 1}], "batch_number": 2}', "twice"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_what_is_no_answer_is_refused_in_words(body, words, block_bytes):
    with pytest.raises(InvalidAnswerError) as raised:
        read(body, (5,), block_bytes)
    assert words in str(raised.value)
    assert raised.value.ended_early is (body == b"")


@pytest.fixture
def no_collector():
    """What other tests left on the heap would be searched the oftener, the more rows are made."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("value", [[{"x": 1}, {"y": 2}], "},{"], ids=["nested", "text"])
def test_rows_that_defeat_every_naive_cut_stay_linear(value):
    def seconds(count):
        body = json.dumps({"data": [{"a": value, "b": i} for i in range(count)]}).encode()
        start = time.process_time()
        rows, _ = read(body, (16_384,), 65_536)
        assert [row["b"] for row in rows] == list(range(count))
        return time.process_time() - start

    seconds(1_000)
    assert seconds(64_000) < 60 * min(seconds(4_000) for _ in range(3))


@pytest.mark.parametrize("damage", [b'{"a": oops}, ', b"{{{"], ids=["token", "brackets"])
def test_a_body_that_is_broken_in_the_middle_is_not_read_to_its_end(damage, monkeypatch):
    monkeypatch.setattr("ct_collect.answer.MOST_ROW_BYTES", 200_000)
    before, after = b'{"data": [' + b'{"a": 1}, ' * 20_000, b'{"a": 1}, ' * 100_000
    read_bytes = 0

    def chunks():
        nonlocal read_bytes
        for chunk in chunked(before + damage + after, (16_384,)):
            read_bytes += len(chunk)
            yield chunk

    with pytest.raises(InvalidAnswerError):
        list(AnswerReader(chunks(), 65_536))
    assert len(before) < read_bytes < len(before) + 600_000


@pytest.mark.parametrize(
    ("start", "limit"),
    [(b'{"x": "', MOST_ENVELOPE_BYTES), (b'{"data": [{"x": "', MOST_ROW_BYTES), (b'{"data": [], "x": "', MOST_ENVELOPE_BYTES)],
    ids=["envelope", "row", "tail"],
)
def test_a_body_without_end_does_not_fill_the_memory(start, limit):
    def chunks():
        yield start
        while True:
            yield b"x" * (1 << 16)

    tracemalloc.start()
    try:
        with pytest.raises(InvalidAnswerError, match="bytes"):
            list(AnswerReader(chunks()))
        assert tracemalloc.get_traced_memory()[1] < 4 * limit + (8 << 20)
    finally:
        tracemalloc.stop()
