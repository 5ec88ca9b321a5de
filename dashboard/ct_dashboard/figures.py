"""What all charts share: colours, title, margins, and axes of dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from ct_dashboard.text import Text

# Okabe and Ito's colours: told apart by colour-blind people, readable on light and dark.
BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, VERMILION = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#D55E00",
)  # fmt: skip
GREY = "#8A8A8A"
CHAMPION, CHALLENGER = ORANGE, SKY
"""The two models that are compared keep their colour on every chart."""

CYCLE = (SKY, ORANGE, GREEN, PINK, VERMILION, YELLOW, BLUE, GREY)

_TICKS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)


TITLE_CHARACTERS = 46
"""Of a title in one line: more do not fit on a phone."""

LEGEND_ROOM = 95
"""Below the plot, pixels: the axis with its title, and a legend of two lines."""


def titled(figure: go.Figure, title: str, height: int, *, legend: bool = False, **layout: Any) -> go.Figure:
    """The figure with title and size; a legend lies below the plot, where it takes no width from a phone."""
    title = wrapped(title, TITLE_CHARACTERS)
    above = 45 + 18 * title.count("<br>")
    below = {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "title": {"text": ""}}
    figure.update_layout(
        **{
            "title": {"text": title, "font": {"size": 15}, "x": 0, "xanchor": "left"},
            "height": height,
            "margin": {"l": 10, "r": 10, "t": above, "b": LEGEND_ROOM if legend else 10},
            "dragmode": False,
            "showlegend": legend,
            "legend": below,
            **layout,
        }
    )
    return figure


def time_axis(text: Text) -> dict[str, Any]:
    """An axis of time in UTC with dates in figures: plotly would write months in English."""
    hour, day = 3_600_000, 86_400_000
    formats = ((None, 1000, "%H:%M:%S\n%Y-%m-%d"), (1000, hour * 23, "%H:%M\n%Y-%m-%d"), (hour * 23, day * 27, "%m-%d\n%Y"))
    stops = [{"dtickrange": [low, high], "value": form} for low, high, form in formats]
    return {
        "type": "date", "title": text("history.timeline_axis"), "tickformat": "%Y-%m", "tickformatstops": stops, "nticks": 6,
    }  # fmt: skip


def money_axis(text: Text) -> dict[str, Any]:
    """A logarithmic axis of dollars with few round ticks."""
    return {"type": "log", "tickvals": list(_TICKS), "ticktext": [text.short_money(tick) for tick in _TICKS]}


def wrapped(label: str, width: int = 28) -> str:
    """A label in lines of at most ``width`` characters, where words allow it: long ones would leave a phone no plot."""
    lines, line = [], ""
    for word in label.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "<br>".join([*lines, line])


def percent_ticks(values: Sequence[float], text: Text) -> list[str]:
    """Signed percent for the ticks of an axis of relative changes."""
    return [text.percent(value, 0) for value in values]
