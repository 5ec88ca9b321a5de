"""Charts of what changed in the data: plotly figures from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ct_dashboard.drift import Measured, features
from ct_dashboard.figures import CYCLE, GREY, ORANGE, SKY, VERMILION, money_axis, titled, wrapped
from ct_dashboard.listings import PriceBins, centre
from ct_dashboard.text import Text

_LEVELS = ("ok", "watch", "fire")
_FILLS = {"ok": "#BFE3F5", "watch": ORANGE, "fire": VERMILION}
_SYMBOLS = {"ok": "circle", "watch": "diamond", "fire": "x", "n/a": "circle-open"}
MOST_NUMBERS = 12
"""With more batches the cells are too narrow for numbers."""


def drift_chart(found: Sequence[Measured], text: Text, title: str) -> go.Figure:
    """Columns by batches; the colour says whether the change is let pass, watched, or asks for a training."""
    batches = list(dict.fromkeys(cell.batch for cell in found))
    names = features(found)
    by_place = {(cell.feature, cell.batch): cell for cell in found}
    cells = [[by_place.get((name, batch)) for batch in batches] for name in names]
    figure = go.Figure(
        go.Heatmap(
            x=[text("data.batch", number=batch) for batch in batches] if len(batches) <= 6 else batches,
            y=[feature_name(name, text) for name in names],
            z=[[_LEVELS.index(cell.verdict) if cell and cell.verdict in _LEVELS else None for cell in row] for row in cells],
            text=[[text.number(cell.value, 2) if cell else "" for cell in row] for row in cells],
            texttemplate="%{text}" if len(batches) <= MOST_NUMBERS else None,
            textfont={"color": "#111111", "size": 12},
            hovertext=[[_cell_words(cell, text) for cell in row] for row in cells],
            hoverinfo="x+y+text",
            colorscale=[step for number, level in enumerate(_LEVELS) for step in
                        ((number / 3, _FILLS[level]), ((number + 1) / 3, _FILLS[level]))],
            zmin=-0.5,
            zmax=2.5,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )  # fmt: skip
    for level in _LEVELS:
        marker = {"symbol": "square", "size": 13, "color": _FILLS[level], "line": {"width": 1, "color": GREY}}
        name = text(f"data.level_{level}")
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name=name))
    figure.update_xaxes(title=text("data.batches"), type="category", fixedrange=True, showgrid=False)
    figure.update_yaxes(autorange="reversed", fixedrange=True, showgrid=False)
    return titled(figure, title, 150 + 32 * len(names), legend=True)


def _cell_words(cell: Measured | None, text: Text) -> str:
    if cell is None or cell.value is None:
        return text("data.not_measured")
    words = f"{text.significant(cell.value)} · {text('data.limit')} {text.significant(cell.threshold)}"
    return words if cell.watch is None else f"{words} · {text('data.watched_from')} {text.significant(cell.watch)}"


def feature_name(name: str, text: Text) -> str:
    """A column in the person's language."""
    return text.or_none(f"field.{name}") or text.or_none(f"estimate.{name}") or name


def arrival_chart(found: Sequence[Measured], text: Text) -> go.Figure:
    """The champion's error on each new batch over its error at promotion, with 95 % intervals and the limit."""
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[cell.batch for cell in found],
            y=[cell.threshold for cell in found],
            mode="lines",
            line={"color": GREY, "dash": "dash", "shape": "hvh"},
            hoverinfo="skip",
            name=text("data.limit"),
        )
    )
    colours = {"ok": SKY, "watch": ORANGE, "fire": VERMILION}
    for level, colour in colours.items():
        chosen = [cell for cell in found if cell.verdict == level and cell.value is not None]
        if not chosen:
            continue
        figure.add_trace(
            go.Scatter(
                x=[cell.batch for cell in chosen],
                y=[cell.value for cell in chosen],
                mode="markers",
                marker={"size": 11, "color": colour, "symbol": _SYMBOLS[level]},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 2, "width": 4, "color": colour,
                    "array": [_gap(cell.high, cell.value) for cell in chosen],
                    "arrayminus": [_gap(cell.value, cell.low) for cell in chosen],
                },
                hovertext=[_arrival_words(cell, text) for cell in chosen],
                hoverinfo="text",
                name=text(f"data.level_{level}"),
            )
        )  # fmt: skip
    # Only what has a value stands in the traces, and the axis keeps the order of the batches.
    order = [cell.batch for cell in found]
    figure.update_xaxes(title=text("data.batches"), type="category", categoryarray=order, fixedrange=True)
    figure.update_yaxes(title=text("data.error_axis"), rangemode="tozero", fixedrange=True)
    return titled(figure, text("data.arrival"), 340, legend=True)


def _gap(above: float | None, below: float | None) -> float:
    return 0.0 if above is None or below is None else max(above - below, 0.0)


def _arrival_words(cell: Measured, text: Text) -> str:
    interval = f"{text.significant(cell.value)} ({text.significant(cell.low)} … {text.significant(cell.high)})"
    return f"{text('data.batch', number=cell.batch)}: {interval}"


def unseen_chart(found: Mapping[str, Sequence[Measured]], text: Text) -> go.Figure:
    """The share of each batch's rows with a value that the champion has never seen."""
    figure = go.Figure()
    for number, (name, cells) in enumerate(found.items()):
        figure.add_trace(
            go.Scatter(
                x=[cell.batch for cell in cells],
                y=[cell.value for cell in cells],
                mode="lines+markers",
                line={"color": CYCLE[number], "width": 2, "dash": ("solid", "dash", "dot")[number % 3]},
                marker={"size": 9, "symbol": ("circle", "diamond", "square")[number % 3]},
                hovertemplate="%{y:.1%}",
                name=text(f"data.{name}"),
            )
        )
    order = list(dict.fromkeys(cell.batch for cells in found.values() for cell in cells))
    figure.update_xaxes(title=text("data.batches"), type="category", categoryarray=order, fixedrange=True)
    figure.update_yaxes(title=text("data.rows_axis"), tickformat=".0%", rangemode="tozero", fixedrange=True)
    return titled(figure, text("data.unseen"), 340, legend=True)


def density_chart(named: Sequence[tuple[str, PriceBins]], text: Text, title: str) -> go.Figure:
    """One hill for each group of prices, all of the same height, the first on top; a logarithmic axis of dollars."""
    figure = go.Figure()
    shares = [[count / sum(bins.counts) for count in bins.counts] for _, bins in named]
    prices = [centre(number) for number in range(len(shares[0]))] if shares else []
    for number, ((name, _), share) in enumerate(zip(named, shares, strict=True)):
        base = len(named) - 1 - number
        colour = CYCLE[number] if len(named) == 2 else SKY
        highest = max(share)
        flat = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        figure.add_trace(go.Scatter(x=prices, y=[base] * len(prices), **flat))
        figure.add_trace(
            go.Scatter(
                x=prices,
                y=[base + 0.92 * value / highest for value in share],
                mode="lines",
                line={"width": 2, "color": colour},
                fill="tonexty",
                customdata=share,
                hovertemplate="%{x:$,.0f}: %{customdata:.1%}",
                name=name,
            )
        )
    figure.update_xaxes(title=text("data.price_axis"), fixedrange=True, **money_axis(text))
    figure.update_yaxes(
        tickvals=[len(named) - 1 - number for number in range(len(named))],
        ticktext=[wrapped(name, 18) for name, _ in named],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    return titled(figure, title, 130 + 56 * len(named))
