"""Columns that are missing, new or retyped are named, and nothing else is."""

import pytest
from ct_validate.schema import EXPECTED_TYPE, schema_changes
from ct_validate.suite import connection_string, rows_query
from house_prices.columns import NAMES
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

KINDS = ("number", "string", "boolean", "object", "array")


def usual(rows):
    return {name: {"null": 0, EXPECTED_TYPE[name]: rows, "missing": 0} for name in NAMES}


@given(st.integers(1, 10**6), st.data())
def test_nulls_alone_are_no_change_of_the_schema(rows, data):
    seen = usual(rows)
    for counts in seen.values():
        counts["null"] = data.draw(st.integers(0, rows))
    assert schema_changes(seen) == []


@given(st.sampled_from(NAMES), st.integers(2, 10**6), st.data())
def test_a_missing_column_is_told_from_one_that_some_rows_lack(name, rows, data):
    lacking = data.draw(st.integers(1, rows - 1))
    some = usual(rows) | {name: {"null": 0, EXPECTED_TYPE[name]: rows - lacking, "missing": lacking}}
    (change,) = schema_changes(some)
    assert (change["column"], change["change"], change["rows"]) == (name, "missing", lacking)
    assert change["detail"] == "some rows do not have it"
    (change,) = schema_changes(usual(rows) | {name: {"null": 0, "missing": rows}})
    assert (change["rows"], change["detail"]) == (rows, "no row has it")


@given(st.sampled_from(NAMES))
def test_a_column_that_was_never_counted_is_missing(name):
    seen = usual(7)
    del seen[name]
    assert [(c["column"], c["change"], c["rows"]) for c in schema_changes(seen)] == [(name, "missing", 7)]


@given(st.sampled_from(NAMES), st.sampled_from(KINDS), st.integers(1, 1000))
def test_a_retyped_column_is_named_with_its_new_type(name, kind, rows):
    found = schema_changes(usual(rows) | {name: {"null": 0, kind: rows, "missing": 0}})
    if kind == EXPECTED_TYPE[name]:
        assert found == []
    else:
        assert [(c["column"], c["change"], c["found"], c["rows"]) for c in found] == [(name, "retyped", kind, rows)]


@given(st.text(min_size=1).filter(lambda name: name not in NAMES), st.integers(1, 9))
def test_a_new_column_is_named_with_the_rows_that_have_it(name, having):
    (change,) = schema_changes({**usual(9), name: {"null": 0, "boolean": having, "missing": 9 - having}})
    assert (change["column"], change["change"], change["rows"]) == (name, "new", having)


def test_great_expectations_gets_its_driver_and_nothing_to_substitute():
    assert connection_string("postgresql://u:p$x%24@h:1/d") == "postgresql+psycopg2://u:p%24x%24@h:1/d"
    assert connection_string("postgres://h/d") == "postgresql+psycopg2://h/d"
    with pytest.raises(ValueError, match="as a URL"):
        connection_string("host=h dbname=d")


def test_the_query_takes_one_batch_and_all_twelve_columns():
    query = rows_query(7)
    assert query.endswith("WHERE r.batch_id = 7")
    assert all(name in query for name in NAMES)
    with pytest.raises(ValueError, match="invalid literal"):
        rows_query("7; DROP TABLE raw.listings")
