"""Charts of champion against challenger: plotly figures from plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import plotly.graph_objects as go

from ct_dashboard.diagnostics import Change, Coverage, Shapes, coverages, error_curve
from ct_dashboard.figures import CHALLENGER, CHAMPION, GREY, SKY, VERMILION, titled, wrapped
from ct_dashboard.text import Text

_SCALES = {"champion": ("#F6D7A0", "#E69F00", "#A34700"), "challenger": ("#C4E3F5", "#56B4E9", "#005B93")}
"""From few homes to many, in the model's colour: both ends stand out from a white and from a black page."""

_COLOURS = {"champion": CHAMPION, "challenger": CHALLENGER}
_DASHES = {"champion": "dash", "challenger": "solid"}
_SYMBOLS = {"better": "circle", "worse": "diamond", "open": "circle-open"}
_SIDES = {"better": SKY, "worse": VERMILION, "open": GREY}
FURTHEST = 1.0
"""The error chart ends where an answer is twice the price."""


def change_label(change: Change, text: Text) -> str:
    """A change in words: what was measured, or where."""
    if change.dimension == "overall":
        return text(f"comparison.overall_{change.value}")
    key = f"comparison.slice_{change.dimension}"
    value = change.value
    if change.dimension == "status":
        value = text.or_none(f"estimate.status_{value}") or value
    named = text.or_none(f"{key}_{value}", value=value) or text.or_none(key, value=value)
    return named or f"{change.dimension}: {change.value}"


def forest_chart(changes: Sequence[Change], text: Text, title: str) -> go.Figure:
    """Each change as a point with its 95 % interval; left of the line at zero the challenger is better."""
    labels = [wrapped(change_label(change, text), 26) for change in changes]
    figure = go.Figure()
    for side, colour in _SIDES.items():
        chosen = [(label, change) for label, change in zip(labels, changes, strict=True) if change.side == side]
        if not chosen:
            continue
        figure.add_trace(
            go.Scatter(
                x=[change.change for _, change in chosen],
                y=[label for label, _ in chosen],
                mode="markers",
                marker={"size": 10, "color": colour, "symbol": _SYMBOLS[side]},
                error_x={
                    "type": "data", "symmetric": False, "thickness": 2, "width": 4, "color": colour,
                    "array": [change.high - change.change for _, change in chosen],
                    "arrayminus": [change.change - change.low for _, change in chosen],
                },
                hovertext=[_hover(change, text) for _, change in chosen],
                hoverinfo="y+text",
                name=text(f"comparison.{side}"),
            )
        )  # fmt: skip
    limits = [(label, change.limit) for label, change in zip(labels, changes, strict=True) if change.limit is not None]
    figure.add_trace(
        go.Scatter(
            x=[limit for _, limit in limits],
            y=[label for label, _ in limits],
            mode="markers",
            marker={"symbol": "line-ns", "size": 16, "color": GREY, "line": {"width": 2, "color": GREY}},
            hovertext=[text.percent(limit) for _, limit in limits],
            hoverinfo="y+text",
            name=text("comparison.limit"),
        )
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    ends = [end for change in changes for end in (change.low, change.high, change.limit or 0.0)]
    room = max((max(ends) - min(ends)) * 0.06, 0.01)
    span = [min(*ends, 0.0) - room, max(*ends, 0.0) + room]
    figure.update_xaxes(title=text("comparison.change_axis"), tickformat="+.0%", range=span, nticks=6)
    figure.update_yaxes(categoryorder="array", categoryarray=labels[::-1], fixedrange=True)
    height = 150 + sum(26 + 12 * label.count("<br>") for label in labels)
    figure.update_xaxes(fixedrange=True)
    return titled(figure, title, height, legend=True)


def _hover(change: Change, text: Text) -> str:
    interval = f"{text.percent(change.change)} ({text.percent(change.low)} … {text.percent(change.high)})"
    return interval if change.rows is None else f"{interval}<br>{text('comparison.rows', rows=text.number(change.rows))}"


def error_chart(shapes: Mapping[str, Shapes], text: Text) -> go.Figure:
    """The share of homes that each model prices within some percent: the higher line is the better model."""
    figure = go.Figure()
    for role, found in shapes.items():
        off, within = error_curve(found)
        chosen = [(x, y) for x, y in zip(off, within, strict=True) if x <= FURTHEST + 0.05]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in chosen],
                y=[y for _, y in chosen],
                mode="lines",
                line={"width": 3, "color": _COLOURS[role], "dash": _DASHES[role]},
                name=text(f"comparison.{role}", version=found.version),
                hovertemplate="%{x:.0%}: %{y:.0%}",
            )
        )
    figure.update_xaxes(title=text("comparison.error_axis"), tickformat=".0%", range=[0, FURTHEST], fixedrange=True)
    figure.update_yaxes(title=text("comparison.homes_axis"), tickformat=".0%", range=[0, 1], fixedrange=True)
    return titled(figure, text("comparison.errors"), 380, legend=True)


def price_chart(shapes: Shapes, role: str, text: Text, title: str) -> go.Figure:
    """Homes by real and predicted price; on the line both are equal. Logarithmic axes of dollars, colours by count."""
    edges = shapes.prices["edges"]
    bins = len(edges) - 1
    grid: list[list[float | None]] = [[None] * bins for _ in range(bins)]
    counts: list[list[int]] = [[0] * bins for _ in range(bins)]
    for price, answer, count in shapes.prices["cells"]:
        grid[answer][price], counts[answer][price] = math.log10(count), count
    centres = [(math.log10(low) + math.log10(high)) / 2 for low, high in pairwise(edges)]
    most = max((count for *_, count in shapes.prices["cells"]), default=1)
    ticks = [10**power for power in range(int(math.log10(most)) + 1)]
    figure = go.Figure(
        go.Heatmap(
            x=centres,
            y=centres,
            z=grid,
            customdata=counts,
            colorscale=_SCALES[role],
            zmin=0,
            zmax=max(math.log10(most), 0.3),
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"title": {"text": text("comparison.homes")}, "tickvals": [math.log10(tick) for tick in ticks],
                      "ticktext": [text.number(tick) for tick in ticks], "thickness": 12},
        )
    )  # fmt: skip
    reach = _reach(shapes, centres)
    figure.add_trace(
        go.Scatter(x=reach, y=reach, mode="lines", line={"color": GREY, "width": 1.5, "dash": "dot"}, hoverinfo="skip")
    )
    values = [30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
    ticks_of = {"tickvals": [math.log10(value) for value in values], "ticktext": [text.short_money(value) for value in values]}
    figure.update_xaxes(title=text("comparison.real"), range=reach, fixedrange=True, **ticks_of)
    figure.update_yaxes(title=text("comparison.predicted"), range=reach, fixedrange=True, **ticks_of)
    return titled(figure, title, 440)


def _reach(shapes: Shapes, centres: Sequence[float]) -> list[float]:
    """From the cheapest to the dearest home, with a little room."""
    used = [position for price, answer, _ in shapes.prices["cells"] for position in (price, answer)]
    low, high = (centres[min(used)], centres[max(used)]) if used else (centres[0], centres[-1])
    return [low - 0.1, high + 0.1]


def calibration_chart(shapes: Mapping[str, Shapes], text: Text) -> go.Figure:
    """The share of prices inside the 90 % range, for each tenth of the predicted price, with 95 % intervals."""
    figure = go.Figure()
    lowest = 0.8
    for offset, (role, found) in zip((-0.12, 0.12), shapes.items(), strict=False):
        tenths = coverages(found)
        lowest = min([lowest, *(part.share_low for part in tenths)])
        figure.add_trace(
            go.Scatter(
                x=[number + offset for number in range(1, len(tenths) + 1)],
                y=[part.share for part in tenths],
                mode="markers",
                marker={"size": 10, "color": _COLOURS[role], "symbol": "diamond" if role == "champion" else "circle"},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 2, "width": 3, "color": _COLOURS[role],
                    "array": [part.share_high - part.share for part in tenths],
                    "arrayminus": [part.share - part.share_low for part in tenths],
                },
                hovertext=[_tenth_words(part, text) for part in tenths],
                hoverinfo="text",
                name=text(f"comparison.{role}", version=found.version),
            )
        )  # fmt: skip
    figure.add_hline(y=0.9, line={"color": GREY, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(title=text("comparison.tenth_axis"), dtick=1, fixedrange=True)
    figure.update_yaxes(
        title=text("comparison.coverage_axis"), tickformat=".0%", range=[max(lowest - 0.03, 0), 1.01], fixedrange=True
    )
    return titled(figure, text("comparison.calibration"), 380, legend=True)


def _tenth_words(part: Coverage, text: Text) -> str:
    return f"{text.short_money(part.low)} – {text.short_money(part.high)}: {text.share(part.share, 1)}"
