"""Metrics over versions: every version scored on the same homes at the same moment, overall and by slice."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ct_dashboard import insight_reads, session, tables_metrics
from ct_dashboard.charts_metrics import METRICS, metric_alt, metric_chart
from ct_dashboard.insights import FixedSet, Measured, Score, Standing
from ct_dashboard.tables_metrics import slice_key, slice_name, slice_sizes
from ct_dashboard.text import Text
from ct_dashboard.views.common import chart, nothing, read, remember

SET_PARAMETER = "batch"
SLICE_PARAMETER = "slice"
METRIC_PARAMETER = "metric"
_ALL = "all:"


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("metrics.title"), anchor=False)
    st.write(text("metrics.intro"))
    settings = session.settings()
    measured = read(lambda: insight_reads.measured(settings.database_url, settings.model_name), "metrics", text)
    if measured is None:
        return
    if not measured.sets:
        nothing(text("metrics.empty"), "metrics")
        return
    chosen = _choose_set(measured, text)
    scores = read(
        lambda: insight_reads.scores(settings.database_url, settings.model_name, chosen.digest), "metrics.scores", text
    )
    if scores is None:
        return
    _show_set(chosen, scores, text)
    part = _choose_slice(scores, text)
    _show_charts([score for score in scores if slice_key(score) == part], measured.standing, text)
    if any(score.metrics for score in scores):
        _show_slices(scores, text)


def _choose_set(measured: Measured, text: Text) -> FixedSet:
    """The newest set, unless the person or the address names a batch."""
    names = {str(found.batch_number): found for found in reversed(measured.sets)}
    options = list(reversed(names))
    named = st.query_params.get(SET_PARAMETER)
    if named is not None and named not in names:
        st.warning(text("metrics.gone", number=named))
    number = st.selectbox(
        text("metrics.set"),
        options,
        index=options.index(named) if named in names else 0,
        format_func=lambda option: text(
            "metrics.set_option", number=option, time=text.time(names[option].drawn_at), rows=text.number(names[option].rows)
        ),
        key="metrics.set",
        help=text("metrics.set_help"),
    )
    remember(SET_PARAMETER, number, options[0])
    return names[number]


def _show_set(chosen: FixedSet, scores: Sequence[Score], text: Text) -> None:
    versions = list(dict.fromkeys(score.version for score in scores))
    st.caption(
        text(
            "metrics.about",
            rows=text.number(chosen.rows),
            areas=text.number(chosen.areas),
            number=chosen.batch_number,
            count=len(versions),
        )
    )
    for score in scores:
        if score.problem is not None:
            reason = text.or_none(f"problem.{score.problem}") or score.problem
            st.warning(text("metrics.problem", version=score.version, reason=reason), icon=":material/report:")
        elif score.unsound and score.dimension == "all":
            st.warning(
                text("metrics.unsound", version=score.version, count=text.number(score.unsound)), icon=":material/report:"
            )
    if len(versions) == 1:
        st.info(text("metrics.one_version"), icon=":material/looks_one:")


def _choose_slice(scores: Sequence[Score], text: Text) -> str:
    """The slice that the person or the address names; slices with the most homes first within a dimension."""
    sizes = slice_sizes(scores)
    options = list(sizes)
    named = st.query_params.get(SLICE_PARAMETER)
    part = st.selectbox(
        text("metrics.slice"),
        options,
        index=options.index(named) if named in options else 0,
        format_func=lambda key: text("metrics.slice_option", name=slice_name(key, text), rows=text.number(sizes[key])),
        key="metrics.slice",
        help=text("metrics.slice_help"),
    )
    remember(SLICE_PARAMETER, part, _ALL)
    return part


def _show_charts(scores: Sequence[Score], standing: Standing, text: Text) -> None:
    shown = [score for score in scores if score.metrics]
    if not shown:
        st.info(text("metrics.nothing"), icon=":material/inbox:")
        return
    st.caption(text("metrics.legend"))
    for start in range(0, len(METRICS), 3):
        for column, metric in zip(st.columns(3), METRICS[start : start + 3], strict=False):
            with column:
                chart(metric_chart(shown, metric, standing, text), f"metrics.chart_{metric}", metric_alt(shown, metric, text))
    st.dataframe(
        tables_metrics.metrics_table(shown, standing, text),
        key="metrics.table",
        width="stretch",
        hide_index=True,
        alt=text("metrics.table_alt"),
        column_config={text("metrics.version"): st.column_config.TextColumn(pinned=True)},
    )


def _show_slices(scores: Sequence[Score], text: Text) -> None:
    st.header(text("metrics.by_slice"), anchor=False, divider=True)
    named = st.query_params.get(METRIC_PARAMETER)
    metric = st.selectbox(
        text("metrics.metric"),
        METRICS,
        index=METRICS.index(named) if named in METRICS else 0,
        format_func=lambda name: text(f"metric.{name}"),
        key="metrics.metric",
    )
    remember(METRIC_PARAMETER, metric, METRICS[0])
    st.dataframe(
        tables_metrics.slices_table(scores, metric, text),
        key="metrics.slices",
        width="stretch",
        hide_index=True,
        alt=text("metrics.slices_alt", metric=text(f"metric.{metric}")),
        column_config={text("metrics.slice"): st.column_config.TextColumn(pinned=True, width="medium")},
    )
