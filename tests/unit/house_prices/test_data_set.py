"""The description of the data set agrees with itself and with the tables."""

import re
from pathlib import Path

import ct_store
import pytest
from house_prices import cleaning
from house_prices.columns import COLUMNS, MODEL_COLUMNS, NAMES
from house_prices.expectations import SUITE

pytestmark = pytest.mark.unit

MIGRATION = Path(ct_store.__file__).parent / "migrations" / "versions" / "0001_initial.sql"


def table(name):
    body = re.search(rf"CREATE TABLE {name} \((.*?)\n\);", MIGRATION.read_text(), re.DOTALL).group(1)
    return dict(re.findall(r"^    (\w+) +(double precision|bigint|integer|text|date)", body, re.MULTILINE))


def test_raw_holds_the_twelve_columns_by_their_kind():
    stored = table("raw.listings")
    assert {c.name: stored[c.name] for c in COLUMNS} == {
        c.name: "double precision" if c.kind == "number" else "text" for c in COLUMNS
    }


def test_the_model_sees_neither_the_price_nor_the_key_of_the_home():
    assert set(NAMES) - set(MODEL_COLUMNS) == {"price", "street"}
    assert {c.name for c in COLUMNS if c.role in ("target", "key")} == {"price", "street"}


def test_required_columns_are_those_that_clean_cannot_store_without():
    needed = {name for name in NAMES if re.search(rf"^    {name} +.*NOT NULL", _clean_listings(), re.MULTILINE)}
    assert needed == {c.name for c in COLUMNS if c.required}


def _clean_listings():
    return re.search(r"CREATE TABLE clean.listings \((.*?)\n\);", MIGRATION.read_text(), re.DOTALL).group(1)


def test_a_required_column_without_values_rejects_and_an_optional_one_does_not():
    severity = {e.column: e.severity for e in SUITE if e.expectation == "expect_column_values_to_not_be_null"}
    assert set(severity) == set(NAMES)
    assert {name for name, found in severity.items() if found == "critical"} == {c.name for c in COLUMNS if c.required}


def test_every_row_expectation_allows_for_single_bad_rows():
    of_rows = [e for e in SUITE if e.expectation.startswith("expect_column_values_")]
    assert of_rows
    assert all(0 < e.arguments["mostly"] < 1 for e in of_rows)


def test_rules_have_names_of_their_own():
    names = [rule.name for rule in cleaning.QUARANTINE]
    assert len(set(names)) == len(names)
    assert "DUPLICATE_LISTING" not in names
