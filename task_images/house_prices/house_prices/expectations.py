"""What a batch of listings is expected to be, with how much it matters if it is not.

``critical``: the batch is rejected. ``warning``: it is used, and people are told. ``info``: it is noted. Defects of
single rows are the business of the cleaning rules, so every expectation allows for some of them (``mostly``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SUITE_NAME = "house_prices"
SUITE_VERSION = "2"

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One expectation by its name in Great Expectations, with its arguments."""

    expectation: str
    severity: Severity
    column: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def _column(expectation: str, column: str, severity: Severity, **arguments: Any) -> Expected:
    return Expected(expectation=expectation, column=column, severity=severity, arguments=arguments)


VOLUME_LEAST = 0.001
"""Share of the accumulated rows below which a batch is hardly one: 1 in 1,000."""

KNOWN_HOMES_MOST = 0.5
"""Share of a batch's rows whose homes are known already. A tenth is usual: homes are listed, and then sold."""

STATUSES = ["for_sale", "sold", "ready_to_build"]

SUITE: tuple[Expected, ...] = (
    Expected(expectation="expect_table_row_count_to_be_between", severity="critical", arguments={"min_value": 10}),
    _column("expect_column_values_to_not_be_null", "price", "critical", mostly=0.80),
    _column("expect_column_values_to_be_between", "price", "critical", min_value=1, strict_min=False, mostly=0.95),
    _column("expect_column_values_to_be_between", "price", "warning", min_value=10_000, max_value=1e9, mostly=0.98),
    _column("expect_column_unique_value_count_to_be_between", "price", "critical", min_value=3),
    _column("expect_column_median_to_be_between", "price", "warning", min_value=20_000, max_value=5_000_000),
    # A home that costs less than 5 or more than 10,000 dollars a square foot: price and size do not belong together.
    _column("expect_column_values_to_be_between", "price_per_square_foot", "warning", min_value=5, max_value=1e4, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "status", "critical", mostly=0.80),
    _column("expect_column_values_to_be_in_set", "status", "warning", value_set=STATUSES, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "state", "critical", mostly=0.80),
    _column("expect_column_values_to_not_be_null", "street", "critical", mostly=0.80),
    _column("expect_column_values_to_not_be_null", "zip_code", "critical", mostly=0.80),
    _column("expect_column_values_to_be_between", "zip_code", "critical", min_value=1, max_value=99_999, mostly=0.95),
    _column("expect_column_values_to_not_be_null", "city", "warning", mostly=0.95),
    _column("expect_column_values_to_not_be_null", "bed", "warning", mostly=0.90),
    _column("expect_column_values_to_be_between", "bed", "warning", min_value=0, max_value=20, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "bath", "warning", mostly=0.90),
    _column("expect_column_values_to_be_between", "bath", "warning", min_value=0, max_value=20, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "house_size", "warning", mostly=0.90),
    _column("expect_column_values_to_be_between", "house_size", "warning", min_value=100, max_value=20_000, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "acre_lot", "info", mostly=0.90),
    _column("expect_column_values_to_be_between", "acre_lot", "info", min_value=0, max_value=1_000, mostly=0.99),
    _column("expect_column_values_to_not_be_null", "brokered_by", "info", mostly=0.90),
    _column("expect_column_values_to_not_be_null", "prev_sold_date", "info", mostly=0.90),
    _column("expect_column_values_to_match_regex", "prev_sold_date", "warning", regex=r"^\d{4}-\d{2}-\d{2}$", mostly=0.99),
    # "repetition" is counted with the rows: 1 for a listing's first row. Great Expectations' own check of compound columns
    # compares every row with every other.
    _column("expect_column_values_to_be_between", "repetition", "critical", min_value=1, max_value=1, mostly=0.50),
)
