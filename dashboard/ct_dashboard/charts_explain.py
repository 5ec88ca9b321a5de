"""Charts of what versions rely on and how they differ, as plotly figures. Effects are in log units, read as percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go

from ct_dashboard.effects import column_name, effect_axis, factor_text, numbers, value_text
from ct_dashboard.explaining import Reliance, ranks, shares, swarm
from ct_dashboard.figures import CHALLENGER, CHAMPION, GREY, SKY, titled
from ct_dashboard.insights import Explanation, Home
from ct_dashboard.text import Text

SWARM_HOMES = 300
"""Points of each column: more hide each other, and a phone draws them slowly."""

NUMBERS = ("house_size", "acre_lot", "bed", "bath", "prev_sold_date")
_BAND = "rgba(128,128,128,0.5)"
_SCALE = [[0.0, "#56B4E9"], [0.5, "#B8A9C9"], [1.0, "#D55E00"]]
"""From low to high: told apart on light and dark, and by colour-blind people."""

UNORDERED = "#8C8C8C"
"""The colour of a value that has no order or is not known."""


def bar_chart(explanation: Explanation, text: Text) -> go.Figure:
    """Share of the mean absolute SHAP value by column, largest on top."""
    found = shares(explanation)
    figure = go.Figure(
        go.Bar(
            x=list(found.values()),
            y=[column_name(name, text) for name in found],
            orientation="h",
            marker={"color": SKY},
            text=[text.share(share, 1) for share in found.values()],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    figure.update_xaxes(visible=False, range=[0, 1.18 * max([*found.values(), 0.01])], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    return titled(figure, text("explain.bar_title"), 90 + 48 * len(found))


def beeswarm_chart(explanation: Explanation, homes: Sequence[Home], text: Text) -> go.Figure:
    """One point for each home and column: how far the column moves the price, coloured by the column's value."""
    figure = go.Figure()
    columns = list(shares(explanation))
    count = min(SWARM_HOMES, len(homes))
    everything = explanation.contributions[:count]
    # Two traces for all strips, because each of them takes as long to build as its points: what has a colour, and grey.
    coloured, grey = _Points(), _Points()
    for strip, column in enumerate(columns):
        effect = everything[:, explanation.columns.index(column)]
        places = strip + swarm(effect)
        values = ranks(numbers(homes[:count], column) if column in NUMBERS else [None] * count)
        name = column_name(column, text)
        for row, rank in enumerate(values):
            shift = float(effect[row])
            words = f"{name}: {value_text(homes[row], column, text)}<br>{factor_text(shift, text)}"
            (grey if rank is None else coloured).add(shift, float(places[row]), rank, words)
    for points, marker in (
        (grey, {"color": UNORDERED}),
        (coloured, {"color": coloured.ranks, "colorscale": _SCALE, "cmin": 0, "cmax": 1, "showscale": False}),
    ):
        figure.add_trace(
            go.Scattergl(
                x=points.effects,
                y=points.places,
                mode="markers",
                marker={"size": 5, "opacity": 0.8, **marker},
                hovertext=points.words,
                hoverinfo="text",
                showlegend=False,
            )
        )
    figure.add_vline(x=0, line={"width": 1, "color": GREY})
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


@dataclass
class _Points:
    """Points of the beeswarm: effects in log units, places across the strips, ranks from 0 to 1, and what they say."""

    effects: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)
    ranks: list[float | None] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def add(self, effect: float, place: float, rank: float | None, words: str) -> None:
        self.effects.append(effect)
        self.places.append(place)
        self.ranks.append(rank)
        self.words.append(words)


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
            marker={"color": _BAND},
            name=text("explain.band"),
            hoverinfo="skip",
        )
    )
    for outside, stroke in ((False, {"width": 1, "color": GREY}), (True, {"width": 3, "color": CHALLENGER})):
        chosen = [(line, name) for line, name in zip(lines, names, strict=True) if line.outside == outside]
        figure.add_trace(
            go.Scatter(
                # A gap after each pair of versions: one trace for all strokes of a kind.
                x=[place for line, _ in chosen for place in (line.before, line.after, None)],
                y=[label for _, name in chosen for label in (name, name, None)],
                mode="lines",
                line=stroke,
                hoverinfo="skip",
                showlegend=False,
            )
        )
    # The older version is hollow and larger: where both are alike, the newer one stands inside.
    for version, values, symbol, colour, size in (
        (before, [line.before for line in lines], "circle-open", CHAMPION, 15),
        (after, [line.after for line in lines], "circle", CHALLENGER, 9),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 2, "color": colour}},
                name=text("explain.version", version=version),
                hovertext=[f"{name}: {text.share(value, 1)}" for name, value in zip(names, values, strict=True)],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    figure.update_xaxes(title=text("explain.share_axis"), tickformat=".0%", rangemode="tozero", fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    return titled(figure, text("explain.reliance_title"), 150 + 38 * len(lines), legend=True)
