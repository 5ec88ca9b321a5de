"""The history, its evidence, and listings as tables of words, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from ct_decisions.names import evidence_name
from ct_decisions.reasons import render
from ct_decisions.texts import ENGLISH, SPANISH, Texts

from ct_dashboard.api import PricedRow
from ct_dashboard.charts_comparison import change_label
from ct_dashboard.data import Decision, History, Run, change_gate
from ct_dashboard.diagnostics import Change
from ct_dashboard.text import Text

_WORDS: Mapping[str, Texts] = {"en": ENGLISH, "es": SPANISH}
_BOTH_SIDES = ("bias", "log_bias")
"""Evidence whose limit counts above and below zero; it is a difference of logarithms."""

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


def champion_story(history: History, text: Text) -> str:
    """Why the champion is in production: the decision that its event names, else that of the run that promoted it."""
    if history.champion is None:
        return ""
    if history.crowned is not None:
        return sentence(history.crowned, text)
    reign = history.reigns[-1]
    if reign.event == "alias_moved_by_hand":
        return text("history.by_hand", version=reign.version, time=text.time(reign.since))
    made = (run for run in history.runs if run.line["challenger_version"] == reign.version)
    return next((sentence(run.verdict, text) for run in made if run.line["promotion_outcome"] == "promote"), "")


def validation_outcome(run: Run, text: Text) -> str:
    """Whether the batch was accepted, in two words."""
    accepted = run.line["validation_accepted"]
    if accepted is None:
        return "–"
    return text("quality.accepted" if accepted else "quality.refused")


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


def shortened(words: str, most: int) -> str:
    """The first words, at most ``most`` characters and a mark where something is left out."""
    if len(words) <= most:
        return words
    return f"{words[:most].rsplit(' ', 1)[0].rstrip(' ,;:.(')} …"


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
                text("history.col_trained"): training_outcome(run, text),
                text("history.col_trained_why"): sentence(run.retrain or run.intake, text),
                text("history.col_promoted"): promotion_outcome(run, text),
                text("history.col_promoted_why"): sentence(run.verdict, text) or "–",
                text("history.col_change"): change(run.promotion, text),
                text("history.col_when"): text.time(line["happened_at"]),
                text("history.col_validated"): validation_outcome(run, text),
                text("history.col_champion"): line["champion_version"] or "–",
                text("history.col_challenger"): line["challenger_version"] or "–",
                text("history.col_mlflow_run"): (run.mlflow_run_id or "–")[:8],
                text("history.col_rows"): count(line["row_count"]),
                text("history.col_new"): count(line["rows_new"]),
                text("history.col_quarantined"): count(line["rows_quarantined"]),
            }
        )
    return pd.DataFrame(rows)


def measured(name: str, value: float | None, text: Text) -> str:
    """A piece of evidence in its own unit: percent for shares and changes, seconds, megabytes, a ratio."""
    if value is None:
        return "–"
    words = _WORDS[text.language]
    if name not in words.evidence:
        return text.significant(value)
    if name in _BOTH_SIDES:
        return text.percent(math.expm1(value))
    if name in words.numbers:
        number: str = words.numbers[name](value)
        return f"−{number.lstrip('−')}" if value < 0 else number
    return text.percent(value) if words.signed(name) else text.share(value, 1)


def limit(name: str, value: float | None, text: Text) -> str:
    """A limit beside such a value."""
    shown = measured(name, value, text)
    return f"±{shown.lstrip('+−')}" if name in _BOTH_SIDES and value is not None else shown


def _interval(line: Mapping[str, Any], text: Text) -> str:
    low, high = line["ci_low"], line["ci_high"]
    if low is None and high is None:
        return "–"
    ends = ("…" if end is None else measured(line["name"], end, text) for end in (low, high))
    return " … ".join(ends) if high is not None else f"≥ {measured(line['name'], low, text)}"


def evidence_table(lines: Sequence[Mapping[str, Any]], text: Text, aside: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Signals or gates of a decision, in their order; those in ``aside`` decided nothing.

    Gates have a code, signals may have a feature.
    """
    rows = []
    for line in lines:
        name = line["name"]
        row = {
            text("history.verdict"): text("verdict.aside" if line in aside else f"verdict.{line['verdict'].replace('/', '')}"),
            text("history.name"): evidence_name(line["name"], text.language),
        }
        if any(other.get("feature") for other in lines):
            feature = line["feature"]
            named = feature and (text.or_none(f"field.{feature}") or text.or_none(f"estimate.{feature}"))
            row[text("history.feature")] = named or feature or "–"
        row |= {
            text("history.value"): measured(name, line["value"], text),
            text("history.threshold"): limit(name, line["threshold"], text),
            text("history.interval"): _interval(line, text),
        }
        if "code" in line:
            row[text("history.reject_code")] = line["code"]
        rows.append(row)
    return pd.DataFrame(rows)


def comparison_title(run: Run, text: Text) -> str:
    """One promotion decision in a line: batch, versions, outcome."""
    line = run.line
    number = line["batch_number"]
    batch = text("history.no_batch") if number is None else text("history.detail_title", number=number)
    versions = text("comparison.first", challenger=line["challenger_version"])
    if run.promotion is not None and run.promotion["champion_version"] is not None:
        versions = text("comparison.against", challenger=line["challenger_version"], champion=run.promotion["champion_version"])
    return f"{batch}: {versions} {promotion_outcome(run, text)}"


def slices_table(changes: Sequence[Change], text: Text) -> pd.DataFrame:
    """Every slice that was looked at: rows, change of the MAE, interval."""
    return pd.DataFrame(
        {
            text("comparison.slice"): [change_label(change, text) for change in changes],
            text("history.col_rows"): [text.number(change.rows) for change in changes],
            text("history.col_change"): [text.percent(change.change) for change in changes],
            text("history.interval"): [f"{text.percent(change.low)} … {text.percent(change.high)}" for change in changes],
        }
    )


def comparables_table(found: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """Comparable listings, nearest first."""
    rows = [
        {
            text("estimate.listed"): text.money(home["price"]),
            text("field.house_size"): text.number(home["house_size"]),
            text("estimate.bed"): text.number(home["bed"]),
            text("estimate.bath"): text.number(home["bath"]),
            text("field.acre_lot"): text.number(home["acre_lot"], 2),
            text("estimate.zip_code"): home["zip_code"],
            text("estimate.city"): home["city"] or "–",
            text("estimate.status"): text.or_none(f"estimate.status_{home['status']}") or home["status"],
            text("estimate.prev_sold_date"): "–" if home["prev_sold_date"] is None else str(home["prev_sold_date"]),
        }
        for home in found
    ]
    return pd.DataFrame(rows)


def problems_table(rows: Sequence[tuple[int, PricedRow]], text: Text) -> pd.DataFrame:
    """One row for each problem: the row's number in the file, from 1 below the header, and what is allowed."""
    return pd.DataFrame(
        [
            {
                text("quality.col_row"): text.number(number),
                text("quality.col_column"): str(problem["field"]),
                text("batch.col_given"): "–" if problem.get("given") is None else str(problem["given"]),
                text("batch.col_problem"): str(problem["message"]),
                text("batch.col_allowed"): str(problem.get("allowed") or "–"),
            }
            for number, row in rows
            for problem in row.problems
        ]
    )
