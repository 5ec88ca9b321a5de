"""Charts of what versions rely on and how they differ, as plotly figures. Effects are in log units, read as percent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ct_dashboard.effects import column_name, effect_axis, factor_text, numbers, part_name, titled, value_text
from ct_dashboard.explaining import BASE, Mover, Reliance, medians, ranks, shares, swarm
from ct_dashboard.figures import BLUE, GREEN, ORANGE, PINK
from ct_dashboard.insights import Explanation, Floats, Home
from ct_dashboard.text import Text

SWARM_HOMES = 300
"""Points of each column: more hide each other, and a phone draws them slowly."""

MOST_BARS = 12
"""Categories of a column in the comparison of effects: those of the most homes."""

NUMBERS = ("house_size", "acre_lot", "bed", "bath", "prev_sold_date")
LOGARITHMIC = {
    "house_size": (250, 500, 1000, 2000, 4000, 8000, 16000),
    "acre_lot": (0.01, 0.05, 0.25, 1, 5, 25, 100, 1000),
}
"""Columns whose values are drawn on a logarithmic axis, with its ticks."""

CATEGORIES = {"location": "state", "status": "status"}
"""Columns of an explanation that are compared by category, with the home's column that has the category."""

COMPARABLE = ("location", "house_size", "bath", "bed", "acre_lot", "status", "prev_sold_date")
"""Columns whose effect can be drawn against their value; the broker's number is only a name."""

_GREY = "rgba(128,128,128,0.5)"
_SCALE = [[0.0, "#56B4E9"], [0.5, "#B8A9C9"], [1.0, "#D55E00"]]


def bar_chart(explanation: Explanation, text: Text) -> go.Figure:
    """Share of the mean absolute SHAP value by column, largest on top."""
    found = shares(explanation)
    figure = go.Figure(
        go.Bar(
            x=list(found.values()),
            y=[column_name(name, text) for name in found],
            orientation="h",
            marker={"color": BLUE},
            text=[f"{text.number(100 * share, 1)} %" for share in found.values()],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(visible=False, range=[0, 1.18 * max([*found.values(), 0.01])], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    figure.update_layout(showlegend=False)
    return titled(figure, text("explain.bar_title"), 330)


def beeswarm_chart(explanation: Explanation, homes: Sequence[Home], text: Text) -> go.Figure:
    """One point for each home and column: how far the column moves the price, coloured by the column's value."""
    figure = go.Figure()
    columns = list(shares(explanation))
    count = min(SWARM_HOMES, len(homes))
    everything = explanation.contributions[:count]
    for strip, column in enumerate(columns):
        effect = everything[:, explanation.columns.index(column)]
        values = numbers(homes[:count], column) if column in NUMBERS else [None] * count
        colours = ranks(values)
        figure.add_trace(
            go.Scattergl(
                x=effect,
                y=strip + swarm(effect),
                mode="markers",
                marker={
                    "size": 5,
                    "opacity": 0.8,
                    "color": ["#8C8C8C" if rank is None else _colour(rank) for rank in colours],
                },
                hovertext=[
                    f"{column_name(column, text)}: {value_text(home, column, text)}<br>{factor_text(float(shift), text)}"
                    for home, shift in zip(homes[:count], effect, strict=True)
                ],
                hoverinfo="text",
                showlegend=False,
            )
        )
    figure.add_vline(x=0, line={"width": 1, "color": "gray"})
    figure.update_xaxes(
        title=text("explain.effect_axis"), zeroline=False, fixedrange=True, **effect_axis(everything.ravel(), text)
    )
    figure.update_yaxes(
        tickvals=list(range(len(columns))),
        ticktext=[column_name(name, text) for name in columns],
        range=[len(columns) - 0.4, -0.6],
        fixedrange=True,
        zeroline=False,
    )
    return titled(figure, text("explain.beeswarm_title"), 90 + 48 * len(columns))


def _colour(rank: float) -> str:
    """Light blue for low, orange for high: told apart on light and dark, and by colour-blind people."""
    place = rank * (len(_SCALE) - 1)
    low = min(int(place), len(_SCALE) - 2)
    ends = [[int(str(_SCALE[n][1])[start : start + 2], 16) for start in (1, 3, 5)] for n in (low, low + 1)]
    mixed = [round(a + (b - a) * (place - low)) for a, b in zip(*ends, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def reliance_chart(lines: Sequence[Reliance], before: str, after: str, text: Text) -> go.Figure:
    """Share of reliance of two versions by column, joined by a line; the grey band is what chance explains."""
    names = [column_name(line.column, text) for line in lines]
    figure = go.Figure()
    figure.add_trace(
        go.Bar(
            base=[max(line.before - line.band, 0) for line in lines],
            x=[line.before + line.band - max(line.before - line.band, 0) for line in lines],
            y=names,
            orientation="h",
            width=0.55,
            marker={"color": _GREY},
            name=text("explain.band"),
            hoverinfo="skip",
        )
    )
    for line, name in zip(lines, names, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[line.before, line.after],
                y=[name, name],
                mode="lines",
                line={"width": 3 if line.outside else 1, "color": ORANGE if line.outside else "gray"},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    # The older version is hollow and larger: where both are alike, the newer one stands inside.
    for version, values, symbol, colour, size in (
        (before, [line.before for line in lines], "circle-open", BLUE, 15),
        (after, [line.after for line in lines], "circle", ORANGE, 9),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 2, "color": colour}},
                name=text("explain.version", version=version),
                hovertext=[f"{name}: {text.number(100 * value, 1)} %" for name, value in zip(names, values, strict=True)],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    figure.update_xaxes(title=text("explain.share_axis"), tickformat=".0%", rangemode="tozero", fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    titled(figure, text("explain.reliance_title"), 150 + 38 * len(lines))
    figure.update_layout(legend={"orientation": "h", "y": -0.22, "x": 0}, margin={"b": 60})
    return figure


def dependence_chart(before: Explanation, after: Explanation, homes: Sequence[Home], column: str, text: Text) -> go.Figure:
    """Effect of a column against its value in both versions: points and medians of numbers, medians of categories."""
    figure = go.Figure()
    for explanation, colour, dash in ((before, BLUE, "dot"), (after, ORANGE, "solid")):
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
    titled(figure, text("explain.dependence_title", column=column_name(column, text)), 420)
    figure.update_layout(legend={"orientation": "h", "y": -0.22, "x": 0}, margin={"b": 60})
    return figure


def _draw_number(
    figure: go.Figure, effect: Floats, homes: Sequence[Home], column: str, *, style: tuple[str, str, str], text: Text
) -> None:
    name, colour, dash = style
    values = numbers(homes, column)
    known = [row for row, value in enumerate(values) if value is not None and (value > 0 or column not in LOGARITHMIC)]
    x = np.array([values[row] for row in known], dtype=np.float64)
    y = effect[known]
    few = slice(0, SWARM_HOMES)
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
            marker={"size": 13, "color": colour, "symbol": "circle-open" if colour == BLUE else "circle", "line": {"width": 2}},
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
            marker={"color": [PINK if name == BASE else BLUE for name, _ in parts]},
            text=[f"{text.number(100 * size, 1)} %" for size in sizes],
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
            marker={"color": [GREEN if value > 0 else PINK for _, value in parts]},
            text=[factor_text(value, text) for _, value in parts],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.add_vline(x=0, line={"width": 1, "color": "gray"})
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
