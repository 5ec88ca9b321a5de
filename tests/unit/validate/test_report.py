"""The report is a whole page that names what failed, whatever the source wrote into its values."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from ct_validate.report import measured, render_report, sentence
from house_prices.expectations import SUITE
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

BATCH = {
    "batch_number": 3, "stream": "group 9", "row_count": 4055, "body_bytes": 1_000_000, "body_sha256": "ab" * 32,
    "stored_at": datetime(2026, 1, 2, tzinfo=UTC),
}  # fmt: skip
LINE = {
    "expectation": "expect_column_values_to_not_be_null", "column": "price", "severity": "critical", "success": False,
    "arguments": {"mostly": 0.8}, "share": 0.9, "rows": 3650, "examples": ["on request"],
}  # fmt: skip


class Page(HTMLParser):
    """Collects the text and the open elements of a page."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html):
        super().__init__()
        self.text, self.open, self.seen = "", [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(accepted=True, expectations=(), changes=(), categories=None):
    html = render_report(
        BATCH,
        accepted=accepted,
        suite="s",
        version="1",
        expectations=expectations,
        changes=changes,
        categories=categories or {},
    )
    found = Page(html)
    assert found.open == []
    return found


def test_a_rejected_batch_says_what_failed_with_share_rows_and_examples():
    text = page(accepted=False, expectations=[LINE]).text
    for part in (
        "rejected",
        "price",
        "A value that can be read",
        "at least 80%",
        "90.00% (3,650 rows)",
        "on request",
        "1 critical",
    ):
        assert part in text


def test_failures_come_first_and_the_gravest_at_the_top():
    lines = [
        {**LINE, "column": "fine", "success": True},
        {**LINE, "column": "noted", "severity": "info"},
        {**LINE, "column": "grave"},
    ]
    text = page(accepted=False, expectations=lines).text
    assert text.index("grave") < text.index("noted") < text.index("fine")


def test_changes_and_new_values_are_named():
    changes = [{"column": "pool", "change": "new", "rows": 4055, "detail": "not among the twelve (boolean)"}]
    categories = {"state": {"values": ["Guam"], "count": 2, "share": 0.0004}}
    text = page(changes=changes, categories=categories).text
    for part in ("pool", "not among the twelve", "Guam", "and others", "0.04%"):
        assert part in text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_values_of_the_source_stay_text(value):
    plain = page(expectations=[{**LINE, "examples": ["x"]}])
    hostile = page(
        expectations=[{**LINE, "examples": [value]}],
        changes=[{"column": value, "change": "new", "rows": 1, "detail": value}],
        categories={"state": {"values": [value], "count": 1, "share": 1.0}},
    )
    assert set(hostile.seen) <= set(plain.seen) | {"ul", "li", "b"}


def test_every_expectation_of_the_suite_has_a_sentence():
    for expected in SUITE:
        line = {"expectation": expected.expectation, "column": expected.column, "arguments": expected.arguments}
        assert sentence(line)
        if "mostly" in expected.arguments:
            assert f"{expected.arguments['mostly']:.0%}" in sentence(line)


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_the_volume_is_told_for_the_first_batch_and_later_ones(rows, accumulated):
    share = rows / accumulated if accumulated else None
    line = {"expectation": "volume_against_history", "observed": {"rows": rows, "accumulated": accumulated, "share": share}}
    assert f"{rows:,} rows to {accumulated:,}" in measured(line)
    assert ("first batch" in measured(line)) == (accumulated == 0)
