"""The report of one validation: one HTML page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

_PAGE = Path(__file__).with_name("report.html.jinja")


def render_report(
    batch: Mapping[str, Any],
    *,
    accepted: bool,
    suite: str,
    version: str,
    expectations: Sequence[Mapping[str, Any]],
    changes: Sequence[Mapping[str, Any]],
    categories: Mapping[str, Any],
) -> str:
    """The page. ``batch`` is a row of raw.batches; expectations that fail come first, the gravest at the top."""
    grave = ("critical", "warning", "info")
    lines = [
        {"examples": [], "share": None, "rows": None, **line, "sentence": sentence(line), "measured": measured(line)}
        for line in sorted(expectations, key=lambda line: (line["success"], grave.index(line["severity"])))
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE.read_text(encoding="utf-8")).render(
        batch=batch,
        accepted=accepted,
        suite=suite,
        version=version,
        lines=lines,
        failed=Counter(line["severity"] for line in lines if not line["success"]),
        changes=changes,
        categories=categories,
    )


def _number(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)


def _percent(share: float) -> str:
    """Two decimals, so that a few rows of many do not read as none."""
    return f"{share:.2%}"


def _range(a: Mapping[str, Any]) -> str:
    low, high = a.get("min_value"), a.get("max_value")
    if high is None:
        return f"at least {_number(low)}"
    return f"at most {_number(high)}" if low is None else f"between {_number(low)} and {_number(high)}"


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "expect_table_row_count_to_be_between": lambda a: f"The batch has {_range(a)} rows",
    "expect_column_values_to_not_be_null": lambda _: "A value that can be read",
    "expect_column_values_to_be_between": lambda a: f"A value {_range(a)}",
    "expect_column_values_to_be_in_set": lambda a: f"One of {', '.join(map(str, a['value_set']))}",
    "expect_column_values_to_match_regex": lambda a: f"Written as {a['regex']}",
    "expect_column_unique_value_count_to_be_between": lambda a: f"The number of different values is {_range(a)}",
    "expect_column_median_to_be_between": lambda a: f"The median is {_range(a)}",
    "accumulated_rows_complete": lambda _: "CLEAN still holds every row that was accepted from earlier batches",
    "volume_against_history": lambda a: f"The batch is at least {a['min_share']:.1%} of the rows accumulated so far",
    "homes_known_before": lambda a: f"At most {a['max_share']:.0%} of the rows are of homes that CLEAN knows already",
}


_OF_COLUMN = {"repetition": "No repeat of a listing that stands before it in the batch"}
"""For columns that the query of the suite makes up, and whose numbers would say little."""


def sentence(line: Mapping[str, Any]) -> str:
    """What a line expects, in words. Raises KeyError for an expectation that has none."""
    arguments = line.get("arguments") or {}
    text = _OF_COLUMN.get(line.get("column") or "") or _SENTENCES[line["expectation"]](arguments)
    mostly = arguments.get("mostly")
    return text if mostly is None else f"{text}, in at least {mostly:.0%} of the rows"


def measured(line: Mapping[str, Any]) -> str:
    """What was found: the share of rows that break it, or the value itself."""
    if line.get("share") is not None and line.get("rows") is not None:
        noun = "of known homes" if line["expectation"] == "homes_known_before" else "break it"
        return f"{_percent(line['share'])} ({_number(line['rows'])} rows) {noun}"
    found: Any = line.get("observed")
    if line["expectation"] == "volume_against_history":
        share = "the first batch" if found["share"] is None else _percent(found["share"])
        return f"{share}: {_number(found['rows'])} rows to {_number(found['accumulated'])}"
    if line["expectation"] == "accumulated_rows_complete":
        return f"{_number(found['rows'])} rows of {_number(found['batches'])} batches"
    return "no value" if found is None else _number(found)
