"""Charts of how columns' effects and homes' prices differ between two versions: plotly figures, effects in log units."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ct_dashboard.effects import column_name, effect_axis, factor_text, numbers, part_name
from ct_dashboard.explaining import BASE, Mover, medians
from ct_dashboard.figures import CHALLENGER, CHAMPION, GREY, PINK, SKY, VERMILION, titled
from ct_dashboard.insights import Explanation, Floats, Home
from ct_dashboard.text import Text

MOST_POINTS = 300
"""Homes that are drawn as points: more hide each other."""

MOST_BARS = 12
"""Categories of a column in the comparison of effects: those of the most homes."""

LOGARITHMIC = {
    "house_size": (250, 500, 1000, 2000, 4000, 8000, 16000),
    "acre_lot": (0.01, 0.05, 0.25, 1, 5, 25, 100, 1000),
}
"""Columns whose values are drawn on a logarithmic axis, with its ticks."""

CATEGORIES = {"location": "state", "status": "status"}
"""Columns of an explanation that are compared by category, with the home's column that has the category."""

COMPARABLE = ("location", "house_size", "bath", "bed", "acre_lot", "status", "prev_sold_date")
"""Columns whose effect can be drawn against their value; the broker's number is only a name."""


def dependence_chart(before: Explanation, after: Explanation, homes: Sequence[Home], column: str, text: Text) -> go.Figure:
    """Effect of a column against its value in both versions: points and medians of numbers, medians of categories."""
    figure = go.Figure()
    for explanation, colour, dash in ((before, CHAMPION, "dot"), (after, CHALLENGER, "solid")):
        if column not in explanation.columns:
            continue
        effect = explanation.contributions[:, explanation.columns.index(column)]
        name = text("explain.version", version=explanation.version)
        draw = _draw_category if column in CATEGORIES else _draw_number
        draw(figure, effect, homes, column, style=(name, colour, dash), text=text)
    effects = np.concatenate([
        explanation.contributions[:, explanation.columns.index(column)]
        for explanation in (before, after)
        if column in explanation.columns
    ] or [np.empty(0)])  # fmt: skip
    if column in CATEGORIES:
        middle = np.concatenate([np.asarray(trace.x, dtype=np.float64) for trace in figure.data] or [np.empty(0)])
        figure.update_xaxes(title=text("explain.effect_axis"), fixedrange=True, **effect_axis(middle, text))
        figure.update_yaxes(autorange="reversed", fixedrange=True)
    else:
        figure.update_yaxes(title=text("explain.effect_axis"), fixedrange=True, **effect_axis(effects, text))
        figure.update_xaxes(title=text.or_none(f"axis.{column}") or column_name(column, text), fixedrange=True)
        if column in LOGARITHMIC:
            ticks = LOGARITHMIC[column]
            figure.update_xaxes(
                type="log", tickvals=ticks, ticktext=[text.number(value, 0 if value >= 1 else 2) for value in ticks]
            )
    return titled(figure, text("explain.dependence_title", column=column_name(column, text)), 420, legend=True)


def _draw_number(
    figure: go.Figure, effect: Floats, homes: Sequence[Home], column: str, *, style: tuple[str, str, str], text: Text
) -> None:
    name, colour, dash = style
    values = numbers(homes, column)
    known = [row for row, value in enumerate(values) if value is not None and (value > 0 or column not in LOGARITHMIC)]
    x = np.array([values[row] for row in known], dtype=np.float64)
    y = effect[known]
    few = slice(0, MOST_POINTS)
    figure.add_trace(
        go.Scattergl(
            x=x[few],
            y=y[few],
            mode="markers",
            marker={"size": 4, "opacity": 0.35, "color": colour},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    across, middle = medians(x, y)
    figure.add_trace(
        go.Scatter(
            x=across,
            y=middle,
            mode="lines+markers",
            line={"width": 3, "color": colour, "dash": dash},
            marker={"size": 6},
            name=name,
            hovertext=[factor_text(float(value), text) for value in middle],
            hoverinfo="text+name",
        )
    )


def _draw_category(
    figure: go.Figure, effect: Floats, homes: Sequence[Home], column: str, *, style: tuple[str, str, str], text: Text
) -> None:
    name, colour, _ = style
    rows: dict[str, list[int]] = {}
    for row, home in enumerate(homes):
        rows.setdefault(str(home.get(CATEGORIES[column]) or text("explain.unknown")), []).append(row)
    largest = sorted(rows, key=lambda value: (-len(rows[value]), value))[:MOST_BARS]
    middle = [float(np.median(effect[rows[value]])) for value in largest]
    figure.add_trace(
        go.Scatter(
            x=middle,
            y=[text.or_none(f"explain.status_{value}") or value for value in largest],
            mode="markers",
            marker={
                "size": 13,
                "color": colour,
                "symbol": "circle-open" if colour == CHAMPION else "circle",
                "line": {"width": 2, "color": colour},
            },
            name=name,
            hovertext=[factor_text(value, text) for value in middle],
            hoverinfo="text+name",
        )
    )


def moved_chart(parts: Sequence[tuple[str, float]], text: Text) -> go.Figure:
    """By how much each column's effect differs between the versions, in the mean over the homes."""
    names = [part_name(name, text) for name, _ in parts]
    sizes = [math.expm1(value) for _, value in parts]
    figure = go.Figure(
        go.Bar(
            x=sizes,
            y=names,
            orientation="h",
            marker={"color": [PINK if name == BASE else SKY for name, _ in parts]},
            text=[text.share(size, 1) for size in sizes],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(visible=False, range=[0, 1.18 * max([*sizes, 0.001])], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    return titled(figure, text("explain.moved_title"), 350)


def mover_chart(mover: Mover, before: str, after: str, text: Text) -> go.Figure:
    """From the older price to the newer one: the factor by which each column moved it, as a percentage."""
    parts = [part for part in mover.parts if abs(part[1]) >= 5e-4]
    names = [part_name(name, text) for name, _ in parts]
    figure = go.Figure(
        go.Bar(
            x=[value for _, value in parts],
            y=names,
            orientation="h",
            marker={"color": [SKY if value > 0 else VERMILION for _, value in parts]},
            text=[factor_text(value, text) for _, value in parts],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.add_vline(x=0, line={"width": 1, "color": GREY})
    values = np.array([0.0, *(value for _, value in parts)])
    room = 0.25 * max(float(np.ptp(values)), 0.01)
    figure.update_xaxes(
        title=text("explain.effect_axis"),
        range=[float(values.min()) - room, float(values.max()) + room],
        fixedrange=True,
        zeroline=False,
        **effect_axis(values, text),
    )
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    title = text(
        "explain.mover_title",
        before=text.money(math.exp(mover.before)),
        after=text.money(math.exp(mover.after)),
        old=before,
        new=after,
    )
    return titled(figure, title, 120 + 34 * max(len(parts), 2))
