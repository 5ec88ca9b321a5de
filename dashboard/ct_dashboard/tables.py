"""The history and its evidence as tables of words, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from ct_decisions.names import evidence_name
from ct_decisions.reasons import render

from ct_dashboard.data import Decision, Run, change_gate
from ct_dashboard.text import Text

_PROMOTION = {"promote": "yes_promoted", "reject": "not_promoted", "hold": "held"}


def sentence(decision: Decision | None, text: Text) -> str:
    """The decision in words, or an empty text where nothing was decided.

    A code of a newer pipeline, for which this dashboard has no sentence, is shown as it is.
    """
    if decision is None:
        return ""
    try:
        return render(decision, text.language)
    except ValueError:
        return str(decision["code"])


def training_outcome(run: Run, text: Text) -> str:
    """Whether the run trained, in two words."""
    if run.line["retrain_outcome"] == "train":
        return text("history.yes_trained")
    if run.line["validation_accepted"] is False:
        return text("history.not_validated")
    if run.line["retrain_outcome"] is not None or run.line["intake_code"] is not None:
        return text("history.not_trained")
    return text("history.running")


def promotion_outcome(run: Run, text: Text) -> str:
    """Whether the run's model was promoted, in two words."""
    outcome = run.line["promotion_outcome"]
    if outcome is not None:
        return text(f"history.{_PROMOTION[outcome]}")
    return text("history.running") if run.line["retrain_outcome"] == "train" else text("history.nothing_to_promote")


def change(promotion: Decision | None, text: Text) -> str:
    """The relative change of the champion's error with its interval; negative is better."""
    gate = change_gate(promotion)
    if gate is None:
        return "–"
    if gate["ci_low"] is None or gate["ci_high"] is None:
        return text("history.change_only", change=text.percent(gate["value"]))
    return text(
        "history.change_value",
        change=text.percent(gate["value"]),
        low=text.percent(gate["ci_low"]),
        high=text.percent(gate["ci_high"]),
    )


def history_table(runs: Sequence[Run], text: Text) -> pd.DataFrame:
    """One row for each run, in the order given, with translated column names."""

    def count(value: Any) -> str:
        return text.number(value)

    rows = []
    for run in runs:
        line = run.line
        number = line["batch_number"]
        rows.append(
            {
                text("history.col_batch"): text("history.no_batch") if number is None else str(number),
                text("history.col_when"): text.time(line["happened_at"]),
                text("history.col_trained"): training_outcome(run, text),
                text("history.col_promoted"): promotion_outcome(run, text),
                text("history.col_change"): change(run.promotion, text),
                text("history.col_trained_why"): sentence(run.retrain or run.intake, text),
                text("history.col_promoted_why"): sentence(run.verdict, text),
                text("history.col_champion"): line["champion_version"] or "–",
                text("history.col_challenger"): line["challenger_version"] or "–",
                text("history.col_rows"): count(line["row_count"]),
                text("history.col_new"): count(line["rows_new"]),
                text("history.col_quarantined"): count(line["rows_quarantined"]),
            }
        )
    return pd.DataFrame(rows)


def _interval(line: Mapping[str, Any], text: Text) -> str:
    if line["ci_low"] is None and line["ci_high"] is None:
        return "–"
    return f"{text.significant(line['ci_low'])} … {text.significant(line['ci_high'])}"


def evidence_table(lines: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """Signals or gates of a decision, in their order; gates have a code, signals may have a feature."""
    rows = []
    for line in lines:
        row = {
            text("history.verdict"): text(f"verdict.{line['verdict'].replace('/', '')}"),
            text("history.name"): evidence_name(line["name"], text.language),
        }
        if any(other.get("feature") for other in lines):
            row[text("history.feature")] = line["feature"] or "–"
        row |= {
            text("history.value"): text.significant(line["value"]),
            text("history.interval"): _interval(line, text),
            text("history.threshold"): text.significant(line["threshold"]),
        }
        if "code" in line:
            row[text("history.reject_code")] = line["code"]
        rows.append(row)
    return pd.DataFrame(rows)
