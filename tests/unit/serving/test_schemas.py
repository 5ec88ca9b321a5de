from __future__ import annotations

import math
import re

import pytest
from ct_serving.domain import Domain, read_domain
from ct_serving.model_holder import frame
from ct_serving.requests import UnreadableError, read_rows
from ct_serving.schemas import ALLOWED, EXAMPLE, FIELDS, MAX_INSTANCES, Property, parse_property
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("zip_code", ["00601", "601", 601, 601.0, "601.0", " 00601 "])
def test_every_way_to_write_a_zip_code_is_the_same(zip_code):
    assert Property.model_validate({"zip_code": zip_code}).zip_code == "00601"


@pytest.mark.parametrize("zip_code", ["ABC", "123456", 0, -601, 601.5, True, 1e9, "６０１", [601], "1e2"])
def test_what_is_no_zip_code_is_refused_with_range_and_example(zip_code):
    (problem,) = parse_property({"zip_code": zip_code})
    assert problem["field"] == "zip_code"
    assert problem["allowed"] == ALLOWED["zip_code"]
    assert problem["example"] == EXAMPLE["zip_code"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("bed", -1), ("bed", 1001), ("bath", "two"), ("bed", True), ("acre_lot", -0.1), ("house_size", 0), ("house_size", 2e9),
     ("prev_sold_date", "2015-13-01"), ("prev_sold_date", 20150101), ("prev_sold_date", "1699-12-31"),
     ("city", "x" * 101), ("state", 5), ("brokered_by", -1), ("status", "x" * 51), ("bed", float("inf"))],
)  # fmt: skip
def test_a_problem_names_field_range_example_and_what_was_given(field, value):
    (problem,) = parse_property({**EXAMPLE, field: value})
    assert problem["field"] == field
    assert problem["allowed"]
    assert problem["example"] == EXAMPLE[field]
    assert problem["message"]


def test_the_words_about_ranges_are_those_of_the_schema():
    schema = Property.model_json_schema()["properties"]
    assert set(ALLOWED) == set(EXAMPLE) == set(FIELDS) == set(schema)
    for name, words in ALLOWED.items():
        for choice in schema[name].get("anyOf", [schema[name]]):
            for limit in ("minimum", "maximum", "exclusiveMinimum", "maxLength"):
                if limit in choice:
                    assert re.search(rf"\b0*{choice[limit]:.0f}\b", words), (name, limit)


def test_everything_may_be_missing_null_or_blank():
    for value in ({}, dict.fromkeys(FIELDS), dict.fromkeys(FIELDS, " ")):
        parsed = parse_property(value)
        assert isinstance(parsed, Property), parsed
        assert set(parsed.model_dump().values()) == {None}


def test_several_problems_are_told_at_once():
    assert {problem["field"] for problem in parse_property({"bed": -1, "bath": "x", "zip_code": "y"})} == {
        "bed",
        "bath",
        "zip_code",
    }


def test_the_frame_has_the_types_of_the_signature():
    rows = [Property.model_validate(EXAMPLE), Property.model_validate({})]
    table = frame(rows)
    assert set(table.columns) == set(FIELDS)
    assert table["house_size"].dtype == float
    assert math.isnan(table["house_size"][1])
    for name, value in (("prev_sold_date", "2015-11-04"), ("zip_code", "00601")):
        assert table[name].dtype == "str"
        assert table[name][0] == value
        assert table[name].isna().tolist() == [False, True]
    assert frame(rows[1:])["city"].dtype == "str"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"bed": NaN}', b"{} {}"])
def test_a_body_that_is_not_json_is_refused(body):
    with pytest.raises(UnreadableError) as caught:
        read_rows(body)
    assert caught.value.detail[0]["field"] == "body"


@pytest.mark.parametrize("instances", [b"[]", b"{}", b"null", b"[" + b"{}," * MAX_INSTANCES + b"{}]"])
def test_instances_are_a_list_of_one_to_a_thousand(instances):
    with pytest.raises(UnreadableError) as caught:
        read_rows(b'{"instances": ' + instances + b"}")
    assert caught.value.detail[0]["field"] == "instances"


def test_a_thousand_instances_are_taken():
    rows, single = read_rows(b'{"instances": [' + b"{}," * (MAX_INSTANCES - 1) + b"{}]}")
    assert (len(rows), single) == (MAX_INSTANCES, False)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
def test_a_body_that_is_no_object_has_a_problem(body):
    rows, single = read_rows(body)
    assert single
    assert rows[0].problems[0]["field"] == "body"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*FIELDS, "street", "extra"]), st.none() | st.booleans() | st.integers() | st.floats()
                       | st.text() | st.lists(st.integers())))  # fmt: skip
def test_any_object_is_valid_or_has_problems_and_valid_ones_fit_the_frame(value):
    parsed = parse_property(value)
    if isinstance(parsed, Property):
        assert len(frame([parsed])) == 1
        for warning in Domain().warnings(parsed, value):
            assert warning["field"] in (*FIELDS, "other")
    else:
        assert {problem["field"] for problem in parsed} <= set(FIELDS)


def test_warnings_for_what_is_unseen_unusual_missing_or_ignored():
    domain = Domain(known={"zip_code": frozenset({"00601"})}, ranges={"house_size": (300, 5000)})
    given_row = {"zip_code": "00602", "house_size": 9000, "colour": "red", "street": 5, "status": "given away"}
    row = Property.model_validate(given_row)
    assert {(warning["field"], warning["kind"]) for warning in domain.warnings(row, given_row)} == {
        ("zip_code", "unseen"), ("house_size", "out_of_range"), ("state", "missing"), ("other", "ignored"),
        ("status", "unseen"),
    }  # fmt: skip
    assert Domain().warnings(Property.model_validate(EXAMPLE), EXAMPLE) == []


def test_a_model_brings_its_domain_and_a_broken_one_costs_only_the_warnings(tmp_path):
    assert read_domain(tmp_path) == Domain()
    file = tmp_path / "artifacts" / "domain.json"
    file.parent.mkdir()
    file.write_text('{"known": {"state": ["Hawaii"], "nonsense": ["x"]}, "ranges": {"bed": [0, 9], "nonsense": [1, 2]}}')
    domain = read_domain(tmp_path)
    assert domain.known == {"state": frozenset({"Hawaii"})}
    assert domain.ranges["bed"] == (0, 9)
    assert domain.ranges["house_size"] == Domain().ranges["house_size"]
    for broken in ("[", "[]", '{"ranges": {"bed": 5}}', '{"known": {"state": 7}}'):
        file.write_text(broken)
        assert read_domain(tmp_path) == Domain()
