"""Charts as plotly figures: built from plain values, shown by the pages, tested without a browser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from ct_dashboard.api import Estimate, Explanation
from ct_dashboard.data import Reign, Run
from ct_dashboard.figures import BLUE, GREY, ORANGE, SKY, VERMILION, time_axis, titled, wrapped
from ct_dashboard.text import Text

MOST_NUMBERS = 12
"""Batches of a timeline that are numbered: more numbers would run into each other on a phone."""

MOST_PARTS = 8
"""Bars of a waterfall; what moves the price less is added up in one."""


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
    return titled(figure, text("estimate.interval_title"), 150)


def waterfall_chart(explanation: Explanation, home: Mapping[str, Any], text: Text) -> go.Figure:
    """From the base price to the estimate, one bar for what each field adds or takes away in dollars, the largest first."""
    # A single part is shown as it is: a sum of one would say less.
    most = MOST_PARTS if len(explanation.parts) > MOST_PARTS + 1 else MOST_PARTS + 1
    shown, rest = explanation.parts[:most], explanation.parts[most:]
    parts = [(_field(part.field, home, text), part.usd, f"×{text.number(part.factor, 2)}") for part in shown]
    if rest:
        usd, factor = sum(part.usd for part in rest), math.prod(part.factor for part in rest)
        parts.append((text("estimate.other_fields", count=len(rest)), usd, f"×{text.number(factor, 2)}"))
    labels = [text("estimate.base"), *(label for label, _, _ in parts), text("estimate.price")]
    amounts = [explanation.base, *(usd for _, usd, _ in parts), explanation.price]
    written = [text.money(explanation.base), *(text.signed_money(usd) for _, usd, _ in parts), text.money(explanation.price)]
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            measure=["absolute", *["relative"] * len(parts), "total"],
            y=[wrapped(label, 24) for label in labels],
            x=amounts,
            text=written,
            textposition="outside",
            cliponaxis=False,
            hovertext=[text.money(explanation.base), *(f"{usd} · {factor}" for usd, (_, _, factor) in
                       zip(written[1:-1], parts, strict=True)), text.money(explanation.price)],
            hoverinfo="y+text",
            connector={"line": {"width": 1, "color": GREY}},
            increasing={"marker": {"color": SKY}},
            decreasing={"marker": {"color": VERMILION}},
            totals={"marker": {"color": GREY}},
        )
    )  # fmt: skip
    high = _highest(amounts)
    figure.update_xaxes(visible=False, range=[0, high * 1.3], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    return titled(figure, text("estimate.waterfall_title"), 70 + 34 * len(labels))


def _highest(amounts: Sequence[float]) -> float:
    """The furthest that a waterfall reaches, whose first amount is where it begins."""
    level = highest = amounts[0]
    for amount in amounts[1:-1]:
        level += amount
        highest = max(highest, level)
    return max(highest, 1.0)


def _field(field: str, home: Mapping[str, Any], text: Text) -> str:
    """A field's name with what was given for it."""
    name = text.or_none(f"field.{field}") or text.or_none(f"estimate.{field}") or field
    if field == "location":
        given = ", ".join(str(home[key]) for key in ("zip_code", "city", "state") if home.get(key))
    elif field == "status" and home.get("status"):
        given = text.or_none(f"estimate.status_{home['status']}") or str(home["status"])
    else:
        value = home.get(field)
        given = "" if value is None else str(value)
        if isinstance(value, int | float):
            given = text.number(value, 0 if value == int(value) else 2)
    return f"{name}: {given or text('estimate.any')}"


def _log_range(low: float, high: float) -> list[float]:
    start, end = (math.log10(max(price, 1.0)) for price in (low, high))
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
                marker={"color": (SKY, ORANGE)[index % 2], "line": {"width": 1, "color": GREY}},
                name=label,
                text=[reign.version],
                textposition="inside",
                insidetextanchor="middle",
                hovertext=[f"{label}<br>{text.time(reign.since)} – {text.time(until)} UTC"],
                hoverinfo="text",
            )
        )
    marks = [run for run in batches if run.line["stored_at"] is not None]
    step = math.ceil(len(marks) / MOST_NUMBERS)
    if marks:
        figure.add_trace(
            go.Scatter(
                x=[run.line["stored_at"] for run in marks],
                y=[text("history.timeline_batches")] * len(marks),
                mode="markers+text",
                marker={"size": 12 if step == 1 else 7, "symbol": "diamond", "color": GREY},
                text=["" if place % step else str(run.line["batch_number"]) for place, run in enumerate(marks)],
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
    figure.update_xaxes(**time_axis(text))
    figure.update_yaxes(fixedrange=True, autorange="reversed")
    # Of bars that are too narrow for their version only the width is shown.
    readable = {"minsize": 10, "mode": "hide"}
    return titled(figure, text("history.timeline"), 230, barmode="overlay", uniformtext=readable)
