"""Charts of metrics over versions, as plotly figures."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from ct_dashboard.figures import BLUE, GREEN, GREY, ORANGE, titled
from ct_dashboard.insights import Score, Standing
from ct_dashboard.text import Text

METRICS = ("mae", "mdape", "r2_log", "rmse", "coverage", "within_20_percent")
"""What is shown, in this order; dollars, or shares."""

DOLLARS = ("mae", "rmse")
NOMINAL_COVERAGE = 0.9

_SYMBOLS = {"champion": ("star", GREEN), "promoted": ("circle", BLUE), "other": ("circle-open", ORANGE)}


def value_text(metric: str, value: float | None, text: Text) -> str:
    """A metric's value with its unit."""
    if value is None:
        return "–"
    if metric in DOLLARS:
        return text.money(value)
    return text.number(value, 3) if metric == "r2_log" else text.share(value, 1)


def role(version: str, standing: Standing) -> str:
    """``champion``, ``promoted`` (was in production) or ``other``."""
    if version == standing.champion:
        return "champion"
    return "promoted" if version in standing.promoted else "other"


def metric_chart(scores: Sequence[Score], metric: str, standing: Standing, text: Text) -> go.Figure:
    """One metric of each version with its interval, oldest first; the champion is a star, what was never promoted is hollow."""
    shown = [score for score in scores if metric in score.metrics]
    labels = [text("metrics.version_short", version=score.version) for score in shown]
    estimates = [score.metrics[metric] for score in shown]
    values = [value for value, _, _ in estimates]
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=labels,
            y=values,
            mode="lines+markers",
            line={"width": 1, "color": "rgba(128,128,128,0.5)"},
            marker={
                "size": [16 if score.version == standing.champion else 11 for score in shown],
                "symbol": [_SYMBOLS[role(score.version, standing)][0] for score in shown],
                "color": [_SYMBOLS[role(score.version, standing)][1] for score in shown],
                "line": {"width": 2},
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [0 if high is None else high - value for value, _, high in estimates],
                "arrayminus": [0 if low is None else value - low for value, low, _ in estimates],
                "thickness": 2,
                "width": 5,
                "color": GREY,
            },
            hovertext=[_hover(score, metric, standing, text) for score in shown],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    if metric == "coverage" and shown:
        figure.add_hline(y=NOMINAL_COVERAGE, line={"dash": "dot", "width": 1, "color": GREY})
    dollars = metric in DOLLARS
    figure.update_xaxes(type="category", fixedrange=True)
    figure.update_yaxes(
        title=text(f"metric.{metric}_unit"),
        tickprefix="$" if dollars else "",
        tickformat="~s" if dollars else ".2f" if metric == "r2_log" else ".0%",
        fixedrange=True,
        rangemode="normal",
    )
    return titled(figure, text(f"metric.{metric}"), 280)


def _hover(score: Score, metric: str, standing: Standing, text: Text) -> str:
    value, low, high = (value_text(metric, number, text) for number in score.metrics[metric])
    words = text(f"role.{role(score.version, standing)}")
    return f"{text('metrics.version_short', version=score.version)}, {words}<br>{value} ({low} – {high})"


def metric_alt(scores: Sequence[Score], metric: str, text: Text) -> str:
    """What the chart says, for those who do not see it."""
    shown = [
        f"{text('metrics.version_short', version=score.version)}: {value_text(metric, score.metrics[metric][0], text)}"
        for score in scores
        if metric in score.metrics
    ]
    return f"{text(f'metric.{metric}')}. {'; '.join(shown)}"
