"""Metrics over versions: every version scored on the same homes at the same moment, overall and by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from ct_contract import ContractError, StepError

from ct_dashboard import insight_reads, session
from ct_dashboard.insights import FixedSet, Measured, Score, Standing
from ct_dashboard.metric_charts import METRICS, metric_alt, metric_chart, role, value_text
from ct_dashboard.text import Text

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
    try:
        with st.spinner(text("metrics.loading")):
            measured = insight_reads.measured(settings.database_url, settings.model_name)
            chosen = _choose_set(measured, text) if measured.sets else None
            scores = insight_reads.scores(settings.database_url, settings.model_name, chosen.digest) if chosen else []
    except (StepError, ContractError):
        st.error(text("metrics.database_down"), icon=":material/database_off:")
        session.retry_button("metrics.retry")
        return
    if chosen is None:
        st.info(text("metrics.empty"), icon=":material/inbox:")
        session.retry_button("metrics.retry")
        return
    _show_set(chosen, scores, text)
    part = _choose_slice(scores, text)
    _show_charts([score for score in scores if slice_key(score) == part], measured.standing, text)
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
    _remember(SET_PARAMETER, number, options[0])
    return names[number]


def _remember(parameter: str, value: str, default: str) -> None:
    """Put a choice into the address, or take it out where it is what the page shows anyway."""
    if value != default:
        if st.query_params.get(parameter) != value:
            st.query_params[parameter] = value
    elif parameter in st.query_params:
        del st.query_params[parameter]


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


def slice_key(score: Score) -> str:
    """What a slice is called in addresses."""
    return f"{score.dimension}:{score.slice}"


def _slice_order(key: str, sizes: Mapping[str, int]) -> tuple[str, float, str]:
    """All homes first, sizes in their order, states and statuses with the most homes first."""
    dimension, _, value = key.partition(":")
    place = float(value.partition(":")[0] or 0) if dimension == "house_size" else -float(sizes[key])
    return dimension, place, value


def slice_name(key: str, text: Text) -> str:
    """A slice as people call it."""
    dimension, _, value = key.partition(":")
    if dimension == "all":
        return text("metrics.all")
    if dimension == "house_size":
        low, _, high = value.partition(":")
        ends = {"low": text.number(float(low or 0)), "high": text.number(float(high or 0))}
        kind = "under" if not low else "over" if not high else "between"
        return text(f"slice.size_{kind}", **ends)
    name = text.or_none(f"explain.status_{value}") or value if dimension == "status" else value
    return f"{text(f'slice.{dimension}')}: {name}"


def _choose_slice(scores: Sequence[Score], text: Text) -> str:
    """The slice that the person or the address names; slices with the most homes first within a dimension."""
    sizes: dict[str, int] = {}
    for score in scores:
        sizes[slice_key(score)] = max(sizes.get(slice_key(score), 0), score.rows)
    options = sorted(sizes, key=lambda key: _slice_order(key, sizes))
    named = st.query_params.get(SLICE_PARAMETER)
    part = st.selectbox(
        text("metrics.slice"),
        options,
        index=options.index(named) if named in options else 0,
        format_func=lambda key: text("metrics.slice_option", name=slice_name(key, text), rows=text.number(sizes[key])),
        key="metrics.slice",
        help=text("metrics.slice_help"),
    )
    _remember(SLICE_PARAMETER, part, _ALL)
    return part


def _show_charts(scores: Sequence[Score], standing: Standing, text: Text) -> None:
    shown = [score for score in scores if score.metrics]
    if not shown:
        st.info(text("metrics.nothing"), icon=":material/inbox:")
        return
    st.caption(text("metrics.legend"))
    for start in range(0, len(METRICS), 3):
        for column, metric in zip(st.columns(3), METRICS[start : start + 3], strict=False):
            column.plotly_chart(
                metric_chart(shown, metric, standing, text),
                key=f"metrics.chart_{metric}",
                width="stretch",
                config={"displayModeBar": False},
                alt=metric_alt(shown, metric, text),
            )
    st.dataframe(
        metrics_table(shown, standing, text),
        key="metrics.table",
        width="stretch",
        hide_index=True,
        alt=text("metrics.table_alt"),
        column_config={text("metrics.version"): st.column_config.TextColumn(pinned=True)},
    )


def metrics_table(scores: Sequence[Score], standing: Standing, text: Text) -> pd.DataFrame:
    """One row for each version, newest first, with every metric and its interval."""
    rows = []
    for score in reversed(scores):
        row = {
            text("metrics.version"): score.version,
            text("metrics.role"): text(f"role.{role(score.version, standing)}"),
        }
        for metric in METRICS:
            value, low, high = score.metrics[metric]
            ends = (
                "" if low is None or high is None else f" ({value_text(metric, low, text)} – {value_text(metric, high, text)})"
            )
            row[text(f"metric.{metric}")] = value_text(metric, value, text) + ends
        rows.append(row | {text("metrics.homes"): text.number(score.rows)})
    return pd.DataFrame(rows)


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
    _remember(METRIC_PARAMETER, metric, METRICS[0])
    st.dataframe(
        slices_table(scores, metric, text),
        key="metrics.slices",
        width="stretch",
        hide_index=True,
        alt=text("metrics.slices_alt", metric=text(f"metric.{metric}")),
        column_config={text("metrics.slice"): st.column_config.TextColumn(pinned=True, width="medium")},
    )


def slices_table(scores: Sequence[Score], metric: str, text: Text) -> pd.DataFrame:
    """One row for each slice, one column for each version, newest first: the metric's value."""
    versions = list(dict.fromkeys(score.version for score in reversed(scores) if score.metrics))
    table: dict[str, dict[str, str]] = {}
    homes: dict[str, int] = {}
    for score in scores:
        if metric in score.metrics:
            key = slice_key(score)
            homes[key] = max(homes.get(key, 0), score.rows)
            table.setdefault(key, {})[score.version] = value_text(metric, score.metrics[metric][0], text)
    order = sorted(table, key=lambda key: _slice_order(key, homes))
    return pd.DataFrame(
        [
            {
                text("metrics.slice"): slice_name(key, text),
                text("metrics.homes"): text.number(homes[key]),
                **{text("metrics.version_short", version=version): table[key].get(version, "–") for version in versions},
            }
            for key in order
        ]
    )
