from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from ct_serving.domain import Domain
from ct_serving.raw_table import InferenceRow, beginning, encode, priced_template
from ct_serving.schemas import EXAMPLE, FIELDS, Property, parse_property
from ct_serving.usual import MOST_BYTES, usual_request, usual_values, values_of
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

NUMBER = st.integers(-5, 2**40) | st.floats() | st.sampled_from([0, 0.0, -0.0, 5e-324, 1000, 1e9, 1e12, 1e12 + 1, True])
WORDS = st.text(max_size=120) | st.sampled_from(
    ["", " ", "x ", "\u00a0x", "sold", "Puerto Rico", "x" * 50, "x" * 51, "x" * 101]
)
ZIP = st.integers(-1, 100_001) | st.sampled_from(["00601", "601", "00000", "٠٠٦٠١", "0060 ", 601.0, "601.0", "1e2", "00-01"])
DATE = st.dates().map(str) | st.sampled_from(
    ["2015-11-04", "2015-11-04T00:00", "1699-12-31", "2101-01-01", "2015-W01-1", "20151104", "2015-02-30", "２015-11-04"]
)
OF_FIELD = dict.fromkeys(FIELDS, NUMBER) | dict.fromkeys(("status", "city", "state"), WORDS)
OF_FIELD |= {"zip_code": ZIP, "prev_sold_date": DATE}
ROWS = st.fixed_dictionaries({}, optional={name: st.none() | values for name, values in OF_FIELD.items()})


@given(ROWS)
def test_what_is_usual_is_what_pydantic_makes_of_it(row):
    values = usual_values(row)
    if values is not None:
        parsed = parse_property(row)
        assert isinstance(parsed, Property), parsed
        assert values == values_of(parsed)


def test_the_example_is_usual_and_what_needs_judgement_is_not():
    assert usual_values(EXAMPLE) == values_of(Property.model_validate(EXAMPLE))
    assert usual_values({}) == (None,) * len(FIELDS)
    assert usual_values({"zip_code": 601})[FIELDS.index("zip_code")] == "00601"
    for odd in ({"colour": "red"}, {"street": 1}, {"bed": "3"}, {"bed": True}, {"bed": -1}, {"city": " x"}, {"zip_code": "601"},
                {"prev_sold_date": "2015-11-04T00:00:00"}, {"house_size": 0}, [], None, 5):  # fmt: skip
        assert usual_values(odd) is None, odd


def test_a_body_that_cannot_go_on_record_as_it_is_is_not_usual():
    assert usual_request(orjson.dumps(EXAMPLE)) is not None
    for body in (b'{"city": "a\\u0000b"}', b"{", b'{"city": "\xff"}', b'{"instances": [{}]}', b"{}" + b" " * MOST_BYTES):
        assert usual_request(body) is None, body


@given(ROWS, st.floats(300, 3000), st.sets(st.sampled_from(["00601", "00602"])))
def test_a_row_is_usual_exactly_if_it_has_no_warnings(row, largest, zips):
    parsed = parse_property(row)
    if isinstance(parsed, Property):
        for domain in (Domain(), Domain({"zip_code": frozenset(zips)}, {"house_size": (200.0, largest)})):
            assert domain.is_usual(values_of(parsed)) == (domain.warnings_of(values_of(parsed)) == [])


@given(st.floats(1, 1e9), st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.text(max_size=20), st.uuids())
def test_a_row_written_for_speed_is_the_row_as_it_is_encoded(price, name, client, request_id):
    try:
        orjson.dumps([name, client])
    except orjson.JSONEncodeError:
        return
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(microseconds=random.randrange(10**6))
    row = InferenceRow(request_id, 2, moment, moment, "ok", 200, "m%{}", name, "shadow", EXAMPLE, price, price / 2, price * 2,
                       [{"field": "bed"}], None, client)  # fmt: skip
    text = priced_template("m%{}", name, "shadow") % (
        str(request_id).encode(), 2, moment.isoformat().encode(), moment.isoformat().encode(), orjson.dumps(EXAMPLE),
        b"%a" % price, b"%a" % (price / 2), b"%a" % (price * 2), b'[{"field":"bed"}]', orjson.dumps(client),
    )  # fmt: skip
    written = orjson.loads(text)
    assert text.startswith(beginning(request_id))
    if "\0" not in name + (client or ""):
        assert written == orjson.loads(encode(row))
