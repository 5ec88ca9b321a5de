"""Explainability: what a version relies on, and how it differs from another one on the same homes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from ct_contract import ContractError, StepError

from ct_dashboard import effects, insight_reads, session
from ct_dashboard import explain_charts as charts
from ct_dashboard.explaining import Mover, Reliance, compare_reliance, moved, movers, shares
from ct_dashboard.insights import Explanation, FixedSet, Home, Measured
from ct_dashboard.text import Text

VERSION_PARAMETER = "version"
AGAINST_PARAMETER = "against"
COLUMN_PARAMETER = "column"
HOME_PARAMETER = "home"
MOST_MOVERS = 15
NAMED_PARTS = 3
"""Columns that the table names for each home."""


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("explain.title"), anchor=False)
    st.write(text("explain.intro"))
    settings = session.settings()
    try:
        with st.spinner(text("explain.loading")):
            measured = insight_reads.measured(settings.database_url, settings.model_name)
            chosen = _choose(measured, text)
            homes, found = (
                insight_reads.explanations(settings.database_url, settings.model_name, chosen[0].digest, chosen[1:])
                if chosen
                else ([], {})
            )
    except (StepError, ContractError):
        st.error(text("explain.database_down"), icon=":material/database_off:")
        session.retry_button("explain.retry")
        return
    if chosen is None:
        st.info(text("explain.empty"), icon=":material/inbox:")
        session.retry_button("explain.retry")
        return
    fixed, version, against = chosen
    st.caption(text("explain.about", count=text.number(len(homes)), number=fixed.batch_number))
    _show_version(found[version], homes, text)
    st.header(text("explain.compared", new=version, old=against), anchor=False, divider=True)
    if version == against:
        only = len(measured.partners(version)) == 1
        st.info(text("explain.only_version") if only else text("explain.same_version"), icon=":material/looks_one:")
        if only:
            return
    _show_reliance(found[against], found[version], homes, text)
    _show_dependence(found[against], found[version], homes, text)
    _show_movers(found[against], found[version], homes, text)


def _choose(measured: Measured, text: Text) -> tuple[FixedSet, str, str] | None:
    """The homes, a version and the one to compare it with, as the person or the address says."""
    versions = measured.versions()
    _show_problems(measured, text)
    if not versions:
        return None
    left, right = st.columns(2)
    version = _select(left, VERSION_PARAMETER, text("explain.choose_version"), versions, measured, text=text)
    partners = measured.partners(version)
    # The newest older version on the same homes: the one that it was meant to replace, or the one before it.
    older = [partner for partner in partners if int(partner) < int(version)]
    first = measured.standing.champion if measured.standing.champion in older else (older[0] if older else version)
    order = [first, *(partner for partner in partners if partner != first)]
    against = _select(right, AGAINST_PARAMETER, text("explain.choose_against"), order, measured, text=text)
    fixed = measured.common_set(version, against)
    return None if fixed is None else (fixed, version, against)


def _select(place: Any, parameter: str, label: str, options: Sequence[str], measured: Measured, *, text: Text) -> str:
    named = st.query_params.get(parameter)
    if named is not None and named not in options:
        reason = text.or_none(f"problem.{measured.problem(named)}")
        st.warning(text("explain.gone", version=named, reason=reason or ""))
    chosen: str = place.selectbox(
        label,
        options,
        index=options.index(named) if named in options else 0,
        format_func=lambda version: text(
            "explain.version_option", version=version, role=text(f"role.{_role(version, measured)}")
        ),
        # The choices depend on the other version, and a choice that is no longer there must not stay.
        key=f"explain.{parameter}.{'.'.join(options)}",
    )
    if chosen != options[0]:
        st.query_params[parameter] = chosen
    elif parameter in st.query_params:
        del st.query_params[parameter]
    return chosen


def _role(version: str, measured: Measured) -> str:
    if version == measured.standing.champion:
        return "champion"
    return "promoted" if version in measured.standing.promoted else "other"


def _show_problems(measured: Measured, text: Text) -> None:
    unexplained = {line.version: line.problem for line in measured.explained if line.problem is not None}
    for version, problem in sorted(unexplained.items()):
        if version not in measured.versions():
            reason = text.or_none(f"problem.{problem}") or problem
            st.warning(text("explain.problem", version=version, reason=reason), icon=":material/report:")


def _plot(figure: go.Figure, key: str, alt: str) -> None:
    st.plotly_chart(figure, key=key, width="stretch", config={"displayModeBar": False}, alt=alt)


def _show_version(explanation: Explanation, homes: Sequence[Home], text: Text) -> None:
    st.header(text("explain.relies", version=explanation.version), anchor=False, divider=True)
    found = shares(explanation)
    alt = "; ".join(f"{effects.column_name(name, text)}: {text.number(100 * share, 1)} %" for name, share in found.items())
    left, right = st.columns([2, 3], gap="large")
    with left:
        _plot(charts.bar_chart(explanation, text), "explain.bar", f"{text('explain.bar_title')}. {alt}")
        st.caption(text("explain.bar_note", base=text.money(math.exp(explanation.base))))
    with right:
        _plot(charts.beeswarm_chart(explanation, homes, text), "explain.beeswarm", text("explain.beeswarm_alt", shares=alt))
        st.caption(text("explain.beeswarm_note"))


def _show_reliance(before: Explanation, after: Explanation, homes: Sequence[Home], text: Text) -> None:
    lines = compare_reliance(before, after, [str(home.get("zip_code")) for home in homes])
    st.subheader(text("explain.reliance"), anchor=False)
    st.markdown(reliance_sentence(lines, before.version, after.version, text))
    alt = "; ".join(
        f"{effects.column_name(line.column, text)}: {text.number(100 * line.before, 1)} → {text.number(100 * line.after, 1)} %"
        for line in lines
    )
    _plot(
        charts.reliance_chart(lines, before.version, after.version, text),
        "explain.reliance",
        f"{text('explain.reliance_title')}. {alt}",
    )
    unmeasured = before.noise is None or after.noise is None
    st.caption(text("explain.band_constant") if unmeasured else text("explain.band_measured"))


def reliance_sentence(lines: Sequence[Reliance], before: str, after: str, text: Text) -> str:
    """What the newer version relies on that the older one did not, in words."""
    outside = sorted((line for line in lines if line.outside), key=lambda line: -abs(line.after - line.before))
    if not outside:
        return text("explain.nothing_outside", new=after, old=before)
    parts = []
    for line in outside:
        values = {
            "column": effects.column_name(line.column, text),
            "before": text.number(100 * line.before, 1),
            "after": text.number(100 * line.after, 1),
        }
        parts.append(text("explain.more", **values) if line.after > line.before else text("explain.less", **values))
    return text("explain.outside", new=after, old=before, parts="; ".join(parts))


def _show_dependence(before: Explanation, after: Explanation, homes: Sequence[Home], text: Text) -> None:
    st.subheader(text("explain.dependence"), anchor=False)
    options = [name for name in charts.COMPARABLE if name in after.columns or name in before.columns]
    named = st.query_params.get(COLUMN_PARAMETER)
    column = st.selectbox(
        text("explain.column"),
        options,
        index=options.index(named) if named in options else 0,
        format_func=lambda name: effects.column_name(name, text),
        key="explain.column",
    )
    if column != options[0]:
        st.query_params[COLUMN_PARAMETER] = column
    elif COLUMN_PARAMETER in st.query_params:
        del st.query_params[COLUMN_PARAMETER]
    name = effects.column_name(column, text)
    _plot(
        charts.dependence_chart(before, after, homes, column, text),
        "explain.dependence",
        text("explain.dependence_alt", column=name, new=after.version, old=before.version),
    )


def _show_movers(before: Explanation, after: Explanation, homes: Sequence[Home], text: Text) -> None:
    st.subheader(text("explain.movers"), anchor=False)
    found = movers(before, after, homes, MOST_MOVERS)
    if not found or abs(found[0].change) < 5e-4:
        st.caption(text("explain.nothing_moved"))
        return
    shift = effects.factor_text(after.base - before.base, text)
    st.write(text("explain.movers_intro", shift=shift, new=after.version, old=before.version))
    parts = moved(before, after)
    alt = "; ".join(f"{effects.part_name(name, text)}: {text.number(100 * math.expm1(size), 1)} %" for name, size in parts)
    _plot(charts.moved_chart(parts, text), "explain.moved", f"{text('explain.moved_title')}. {alt}")
    named = st.query_params.get(HOME_PARAMETER)
    row = next((index for index, mover in enumerate(found) if mover.home.get("property_key") == named), 0)
    chosen: Any = st.dataframe(
        movers_table(found, before.version, after.version, text),
        key=f"explain.movers.{before.version}.{after.version}",
        width="stretch",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [row], "columns": [], "cells": []}},
        alt=text("explain.movers_alt"),
    )
    rows: list[int] = chosen.selection.rows
    if rows and rows[0] < len(found):
        row = rows[0]
        key = str(found[row].home.get("property_key"))
        if named != key and (row or named is not None):
            st.query_params[HOME_PARAMETER] = key
    mover = found[row]
    st.markdown(f"**{effects.home_name(mover.home, text)}**")
    _plot(
        charts.mover_chart(mover, before.version, after.version, text),
        "explain.mover",
        f"{effects.home_name(mover.home, text)}: {parts_text(mover, text, len(mover.parts))}",
    )
    st.caption(text("explain.exact"))


def parts_text(mover: Mover, text: Text, most: int = NAMED_PARTS) -> str:
    """The columns that moved a price most, with the percentage of each."""
    return ", ".join(
        f"{effects.part_name(name, text)} {effects.factor_text(value, text)}" for name, value in mover.parts[:most]
    )


def movers_table(found: Sequence[Mover], before: str, after: str, text: Text) -> pd.DataFrame:
    """One row for each home, the one that moved most first."""
    return pd.DataFrame(
        [
            {
                text("explain.change"): text.percent(mover.change, 0),
                text("explain.home_column"): effects.home_name(mover.home, text),
                text("explain.moved_by"): parts_text(mover, text),
                text("explain.price_of", version=before): text.money(math.exp(mover.before)),
                text("explain.price_of", version=after): text.money(math.exp(mover.after)),
                text("explain.real_price"): text.money(mover.home.get("price")),
            }
            for mover in found
        ]
    )
