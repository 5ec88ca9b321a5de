"""Charts of the API's use: plotly figures from plain values."""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go

from ct_dashboard.figures import GREY, ORANGE, SKY, VERMILION, time_axis, titled, wrapped
from ct_dashboard.operations import Traffic
from ct_dashboard.text import Text

FEW_REQUESTS = 5
"""Up to so many in a step the axis counts one by one: there is no half of a request."""


def volume_chart(traffic: Traffic, text: Text) -> go.Figure:
    """Requests in each step of time: answered, refused for their input, and failed by the API's fault."""
    figure = go.Figure()
    moments = [bucket.at for bucket in traffic.buckets]
    series = {
        "answered": (SKY, [bucket.requests - bucket.refused - bucket.failed for bucket in traffic.buckets]),
        "refused": (ORANGE, [bucket.refused for bucket in traffic.buckets]),
        "failed": (VERMILION, [bucket.failed for bucket in traffic.buckets]),
    }
    for name, (colour, values) in series.items():
        bar = go.Bar(x=moments, y=values, marker={"color": colour}, name=text(f"operations.{name}"), width=traffic.step * 900)
        figure.add_trace(bar)
    figure.update_xaxes(range=[traffic.since, traffic.until], fixedrange=True, **time_axis(text))
    figure.update_yaxes(
        title=text("operations.requests_axis", minutes=_minutes(traffic, text)), rangemode="tozero", fixedrange=True
    )
    if max((bucket.requests for bucket in traffic.buckets), default=0) <= FEW_REQUESTS:
        figure.update_yaxes(dtick=1)
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    return titled(figure, text("operations.volume"), 340, legend=True)


def latency_chart(traffic: Traffic, text: Text) -> go.Figure:
    """The median and the 95th percentile of the time to answer, in milliseconds."""
    figure = go.Figure()
    for name, colour, dash in (("median", SKY, "solid"), ("p95", ORANGE, "dash")):
        values = [getattr(bucket, name) for bucket in traffic.buckets]
        figure.add_trace(
            go.Scatter(
                x=[bucket.at for bucket in traffic.buckets],
                y=[None if value is None else value * 1000 for value in values],
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 6},
                hovertemplate="%{y:.1f} ms",
                name=text(f"operations.{name}"),
            )
        )
    figure.update_xaxes(range=[traffic.since, traffic.until], fixedrange=True, **time_axis(text))
    figure.update_yaxes(title=text("operations.latency_axis"), rangemode="tozero", fixedrange=True)
    return titled(figure, text("operations.latency"), 340, legend=True)


def _minutes(traffic: Traffic, text: Text) -> str:
    return text.number(traffic.step / 60)


def lineage_chart(found: Sequence[tuple[str, str]], text: Text) -> go.Figure:
    """Where a version comes from: a box for each step, an arrow to the next, from top to bottom."""
    figure = go.Figure(go.Scatter(x=[0] * len(found), y=[-number for number in range(len(found))], mode="markers",
                                  marker={"opacity": 0}, hoverinfo="skip"))  # fmt: skip
    for number, (name, value) in enumerate(found):
        if number:
            figure.add_annotation(
                x=0, y=-number + 0.36, ax=0, ay=-number + 0.64, xref="x", yref="y", axref="x", ayref="y", showarrow=True,
                text="", arrowhead=2, arrowwidth=2, arrowcolor=GREY,
            )  # fmt: skip
        figure.add_annotation(
            x=0, y=-number, text=f"<b>{text(f'lineage.{name}')}</b><br>{wrapped(html.escape(value), 44)}", showarrow=False,
            bordercolor=SKY if name != "alias" else ORANGE, borderwidth=2, borderpad=6, width=290,
        )  # fmt: skip
    figure.update_xaxes(visible=False, range=[-1, 1], fixedrange=True)
    figure.update_yaxes(visible=False, range=[0.5 - len(found), 0.5], fixedrange=True)
    return titled(figure, text("lineage.graph"), 60 + 92 * len(found))
