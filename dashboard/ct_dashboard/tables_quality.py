"""Validations and quarantine as tables of words, ready to be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ct_dashboard.quality import failures
from ct_dashboard.text import Text


def validations_table(validations: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """One row for each validated batch, in the order given."""
    rows = []
    for line in validations:
        failed = failures(line)
        critical = sum(found["severity"] == "critical" for found in failed)
        rows.append(
            {
                text("history.col_batch"): str(line["batch_number"]),
                text("quality.col_result"): text("quality.accepted" if line["accepted"] else "quality.refused"),
                text("quality.col_held"): text(
                    "history.of", count=len(line["expectations"]) - len(failed), total=len(line["expectations"])
                ),
                text("quality.col_critical"): text.number(critical),
                text("quality.col_changes"): text.number(len(line["schema_changes"])),
                text("history.col_rows"): text.number(line["row_count"]),
                text("history.col_quarantined"): _share(line["rows_quarantined"], line["row_count"], text),
                text("history.col_when"): text.time(line["validated_at"]),
            }
        )
    return pd.DataFrame(rows)


def _share(count: int | None, total: int, text: Text) -> str:
    return "–" if count is None or not total else f"{text.number(count)} ({text.share(count / total, 1)})"


def expectations_table(lines: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """One row for each expectation: whether it holds, what it asks for, and what was found."""
    rows = []
    for line in lines:
        severity = str(line["severity"])
        rows.append(
            {
                text("quality.col_holds"): text("quality.holds" if line["success"] else "quality.fails"),
                text("quality.col_column"): line["column"] or "–",
                text("quality.col_expectation"): expectation(line, text),
                text("quality.col_severity"): text.or_none(f"quality.severity_{severity}") or severity,
                text("quality.col_share"): text.share(line.get("share"), 2),
                text("quality.col_examples"): ", ".join(map(str, list(line.get("examples") or ())[:3])) or "–",
            }
        )
    return pd.DataFrame(rows)


def expectation(line: Mapping[str, Any], text: Text) -> str:
    """What a line expects, in words; the name of one that has no words here."""
    arguments = line.get("arguments") or {}
    low, high = arguments.get("min_value"), arguments.get("max_value")
    values = {
        "low": text.significant(low) if isinstance(low, int | float) else low or "…",
        "high": text.significant(high) if isinstance(high, int | float) else high or "…",
        "values": ", ".join(map(str, arguments.get("value_set") or ())),
        "share": text.share(arguments.get("min_share", arguments.get("max_share"))),
    }
    key = f"quality.{line['expectation']}"
    open_ended = text.or_none(f"{key}_from", **values) if high is None else None
    words = open_ended or text.or_none(key, **values) or str(line["expectation"])
    mostly = arguments.get("mostly")
    return words if mostly is None else text("quality.mostly", expectation=words, share=text.share(mostly))


def changes_table(changes: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """One row for each column that is missing, new, or of another type."""
    return pd.DataFrame(
        {
            text("quality.col_column"): [str(change["column"]) for change in changes],
            text("quality.col_change"): [
                text.or_none(f"quality.change_{change['change']}") or str(change["change"]) for change in changes
            ],
            text("history.col_rows"): [text.number(change.get("rows")) for change in changes],
            text("quality.col_detail"): [str(change.get("detail") or "–") for change in changes],
        }
    )


_REPEATED = re.compile(r"the same listing as in (?:this batch|batch (?P<batch>\d+), row (?P<row>\d+))")


def found_words(rule: str, detail: str, text: Text) -> str:
    """What a rule found, as it was delivered; of a repeated listing where the first one stands."""
    repeated = _REPEATED.fullmatch(detail) if rule == "DUPLICATE_LISTING" else None
    if repeated is None:
        return detail
    if repeated["batch"] is None:
        return text("quality.repeats_here")
    return text("quality.repeats", batch=repeated["batch"], row=text.number(int(repeated["row"])))


def quarantine_table(samples: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """The first rows that each rule put aside, as they were delivered."""
    rows = []
    for sample in samples:
        rule = str(sample["rule"])
        row = {
            text("quality.col_rule"): text.or_none(f"quality.rule_{rule.lower()}") or rule,
            text("quality.col_found"): found_words(rule, str(sample["detail"]), text),
            text("quality.col_row"): text.number(sample["row_number"]),
        }
        for name in ("price", "bed", "bath", "house_size", "city", "state", "zip_code", "status"):
            value = sample[name]
            label = text.or_none(f"field.{name}") or text(f"estimate.{name}")
            if name == "zip_code" and value is not None:
                row[label] = f"{value:g}"
            else:
                row[label] = text.significant(value) if isinstance(value, int | float) else value or "–"
        rows.append(row)
    return pd.DataFrame(rows)
