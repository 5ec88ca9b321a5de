"""Run the suite with Great Expectations inside PostgreSQL: the rows never leave the database."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

from ct_contract import TryLaterError
from house_prices.cleaning import number_as_read
from house_prices.columns import COLUMNS
from house_prices.expectations import SUITE, SUITE_NAME, Expected

EXAMPLES = 5

SESSION = {"options": "-c work_mem=128MB", "application_name": "validate", "connect_timeout": 10}


def rows_query(batch_id: int) -> str:
    """The rows of one batch, numbers read as cleaning will read them, and how often each listing has come so far."""
    columns = ", ".join(
        f"{number_as_read(column.name)} AS {column.name}" if column.kind == "number" else f"r.{column.name}"
        for column in COLUMNS
    )
    repetition = (
        "row_number() OVER (PARTITION BY r.street, r.zip_code, r.price, r.status, r.bed, r.bath, r.house_size, r.other "
        "ORDER BY r.row_number) AS repetition"
    )
    price, size = number_as_read("price"), number_as_read("house_size")
    # Within these limits no quotient overflows: PostgreSQL would refuse the whole query for one row.
    price_per_area = (
        f"CASE WHEN {price} BETWEEN 0 AND 1e15 AND {size} BETWEEN 1 AND 1e15 THEN {price} / {size} END AS price_per_square_foot"
    )
    return f"SELECT {columns}, {repetition}, {price_per_area} FROM raw.listings AS r WHERE r.batch_id = {int(batch_id)}"


def connection_string(database_url: str) -> str:
    """A libpq URL as Great Expectations wants it: SQLAlchemy's driver name, and no ``$``, which it would substitute."""
    _, separator, rest = database_url.partition("://")
    if not separator:
        raise ValueError("the database must be given as a URL: postgresql://user:password@host:5432/name")
    return "postgresql+psycopg2://" + rest.replace("$", "%24")


def run_suite(database_url: str, batch_id: int, suite: Iterable[Expected] = SUITE) -> list[dict[str, Any]]:
    """One line an expectation, in order: name, column, severity, whether it holds, the share that breaks it, examples.

    ``database_url`` is a libpq URL. Raises TryLaterError if an expectation could not be computed: that says nothing
    about the rows.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ["TQDM_DISABLE"] = "1"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = _no_progress_bars()
    # A temporary table is written once and read by every check. Without it Great Expectations would run the query for
    # each of them, and fetch all rows to learn the names of the columns.
    sources: Any = context.data_sources
    source = sources.add_postgres(
        "raw",
        connection_string=connection_string(database_url),
        create_temp_table=True,
        kwargs={"pool_size": 1, "max_overflow": 0, "connect_args": SESSION},
    )
    rows = source.add_query_asset("batch", query=rows_query(batch_id)).add_batch_definition_whole_table("all")
    expected = list(suite)
    described = context.suites.add(gx.ExpectationSuite(name=SUITE_NAME))
    for position, item in enumerate(expected):
        kind: Any = get_expectation_impl(item.expectation)
        own = {"column": item.column} if item.column else {}
        described.add_expectation(kind(**own, **item.arguments, severity=item.severity, meta={"position": position}))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=SUITE_NAME, data=rows, suite=described))
    try:
        outcome = definition.run(result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES})
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()
    lines: dict[int, dict[str, Any]] = {}
    for result in outcome.results:
        position = (result.expectation_config.meta if result.expectation_config else {})["position"]
        lines[position] = _line(expected[position], result)
    return [lines[position] for position in sorted(lines)]


def _no_progress_bars() -> Any:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    return ProgressBarsConfig(globally=False, metric_calculations=False)


def _line(expected: Expected, result: Any) -> dict[str, Any]:
    error = next((info for info in _exceptions(result) if info.get("raised_exception")), None)
    if error is not None:
        raise TryLaterError(
            "VALIDATION_NOT_COMPUTED",
            f"{expected.expectation} of {expected.column or 'the table'} could not be computed: "
            f"{str(error.get('exception_message'))[:500]}. The batch was not judged and nothing was changed; try again.",
        )
    found = result.result or {}
    line: dict[str, Any] = {
        "expectation": expected.expectation,
        "column": expected.column,
        "severity": expected.severity,
        "success": bool(result.success),
        "arguments": expected.arguments,
    }
    if found.get("unexpected_percent") is not None:
        line["share"] = float(found["unexpected_percent"]) / 100
        line["rows"] = int(found.get("unexpected_count") or 0)
    if found.get("observed_value") is not None:
        line["observed"] = found["observed_value"]
    examples = [example for example in found.get("partial_unexpected_list") or () if example is not None]
    if examples and not result.success:
        line["examples"] = [_plain(example) for example in examples]
    return line


def _exceptions(result: Any) -> list[dict[str, Any]]:
    info = result.exception_info or {}
    return [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return value if isinstance(value, (str, int, float, bool)) else str(value)
