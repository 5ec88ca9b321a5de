"""Charts as plotly figures: built from plain values, shown by the pages, tested without a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go

from ct_dashboard.api import Estimate
from ct_dashboard.data import Reign, Run
from ct_dashboard.text import Text

# Okabe and Ito's colours: told apart by colour-blind people, readable on light and dark.
BLUE, ORANGE, GREEN, PINK, SKY, YELLOW = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442"
_CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW)
_BARE = {"showlegend": False, "dragmode": False}


def interval_chart(estimate: Estimate, text: Text) -> go.Figure:
    """The 90 % range as a bar with the price as a mark, on a logarithmic axis of dollars: errors are relative."""
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(x=[estimate.low, estimate.high], y=[0, 0], mode="lines", line={"width": 18, "color": SKY}, hoverinfo="skip")
    )
    figure.add_trace(
        go.Scatter(
            x=[estimate.low, estimate.price, estimate.high],
            # The ends' labels stand below the bar, the price's above it.
            y=[-0.4, 0, -0.4],
            mode="markers+text",
            text=[text.money(value) for value in (estimate.low, estimate.price, estimate.high)],
            textposition=["bottom center", "top center", "bottom center"],
            marker={"size": [1, 22, 1], "color": BLUE, "symbol": "line-ns", "line": {"width": [0, 5, 0], "color": BLUE}},
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    figure.update_xaxes(type="log", visible=False, range=_log_range(estimate.low, estimate.high))
    figure.update_yaxes(visible=False, range=[-1, 1], fixedrange=True)
    figure.update_layout(
        title={"text": text("estimate.interval_title"), "font": {"size": 14}},
        height=150,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        **_BARE,
    )
    return figure


def _log_range(low: float, high: float) -> list[float]:
    start, end = math.log10(low), math.log10(high)
    room = max(end - start, 0.01) * 0.25
    return [start - room, end + room]


def timeline_chart(reigns: Sequence[Reign], batches: Sequence[Run], text: Text, now: datetime | None = None) -> go.Figure:
    """Bars of the versions in production over time, and below them a mark for each batch."""
    end = now or datetime.now(UTC)
    figure = go.Figure()
    for index, reign in enumerate(reigns):
        until = reign.until or end
        label = text("history.version", version=reign.version)
        figure.add_trace(
            go.Bar(
                base=[reign.since],
                x=[(until - reign.since).total_seconds() * 1000],
                y=[text("history.champion")],
                orientation="h",
                width=0.6,
                marker={"color": _CYCLE[index % len(_CYCLE)]},
                name=label,
                text=[reign.version],
                textposition="inside",
                insidetextanchor="middle",
                hovertext=[f"{label}<br>{text.time(reign.since)} – {text.time(until)} UTC"],
                hoverinfo="text",
            )
        )
    marks = [run for run in batches if run.line["stored_at"] is not None]
    if marks:
        figure.add_trace(
            go.Scatter(
                x=[run.line["stored_at"] for run in marks],
                y=[text("history.timeline_batches")] * len(marks),
                mode="markers+text",
                marker={"size": 12, "symbol": "diamond", "color": ORANGE},
                text=[str(run.line["batch_number"]) for run in marks],
                textposition="top center",
                hovertext=[
                    text(
                        "history.timeline_batch",
                        number=run.line["batch_number"],
                        rows=text.number(run.line["row_count"]),
                    )
                    for run in marks
                ],
                hoverinfo="text",
                name=text("history.timeline_batches"),
            )
        )
    figure.update_xaxes(type="date", title=text("history.timeline_axis"))
    figure.update_yaxes(fixedrange=True, autorange="reversed")
    figure.update_layout(
        title={"text": text("history.timeline"), "font": {"size": 14}},
        height=230,
        barmode="overlay",
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        **_BARE,
    )
    return figure
