"""Explainability: what a version relies on, and how it differs from another one on the same homes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from ct_dashboard import charts_effects, charts_explain, effects, insight_reads, session
from ct_dashboard.explaining import compare_reliance, moved, movers, shares
from ct_dashboard.insights import Explanation, FixedSet, Home, Measured, version_number
from ct_dashboard.tables_explain import movers_table, parts_text, reliance_sentence
from ct_dashboard.text import Text
from ct_dashboard.views.common import chart, nothing, read, remember

VERSION_PARAMETER = "version"
AGAINST_PARAMETER = "against"
COLUMN_PARAMETER = "column"
HOME_PARAMETER = "home"
MOST_MOVERS = 15
MOST_PROBLEMS = 5
"""Versions without an explanation that are named: the newest."""


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("explain.title"), anchor=False)
    st.write(text("explain.intro"))
    settings = session.settings()
    measured = read(lambda: insight_reads.measured(settings.database_url, settings.model_name), "explain", text)
    if measured is None:
        return
    chosen = _choose(measured, text)
    if chosen is None:
        nothing(text("explain.empty"), "explain")
        return
    fixed, version, against = chosen
    pair = [version, against]
    values = read(
        lambda: insight_reads.explanations(settings.database_url, settings.model_name, fixed.digest, pair),
        "explain.values",
        text,
    )
    if values is None:
        return
    homes, found = values
    st.caption(text("explain.about", count=text.number(len(homes)), number=fixed.batch_number))
    _show_version(found[version], homes, text)
    if len(measured.partners(version)) == 1:
        st.info(text("explain.only_version"), icon=":material/looks_one:")
        return
    st.header(text("explain.compared", new=version, old=against), anchor=False, divider=True)
    if version == against:
        st.info(text("explain.same_version"), icon=":material/looks_one:")
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
    first = measured.predecessor(version) or version
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
    remember(parameter, chosen, options[0])
    return chosen


def _role(version: str, measured: Measured) -> str:
    if version == measured.standing.champion:
        return "champion"
    return "promoted" if version in measured.standing.promoted else "other"


def _show_problems(measured: Measured, text: Text) -> None:
    unexplained = {line.version: line.problem for line in measured.explained if line.problem is not None}
    known = measured.versions()
    newest = sorted((version for version in unexplained if version not in known), key=version_number, reverse=True)
    for version in newest[:MOST_PROBLEMS]:
        if problem := unexplained[version]:
            reason = text.or_none(f"problem.{problem}") or problem
            st.warning(text("explain.problem", version=version, reason=reason), icon=":material/report:")


def _show_version(explanation: Explanation, homes: Sequence[Home], text: Text) -> None:
    st.header(text("explain.relies", version=explanation.version), anchor=False, divider=True)
    found = shares(explanation)
    alt = "; ".join(f"{effects.column_name(name, text)}: {text.share(share, 1)}" for name, share in found.items())
    left, right = st.columns([2, 3], gap="large")
    with left:
        chart(charts_explain.bar_chart(explanation, text), "explain.bar", f"{text('explain.bar_title')}. {alt}")
        st.caption(text("explain.bar_note", base=text.money(math.exp(explanation.base))))
    with right:
        chart(
            charts_explain.beeswarm_chart(explanation, homes, text),
            "explain.beeswarm",
            text("explain.beeswarm_alt", shares=alt),
        )
        st.caption(text("explain.beeswarm_note"))


def _show_reliance(before: Explanation, after: Explanation, homes: Sequence[Home], text: Text) -> None:
    lines = compare_reliance(before, after, [str(home.get("zip_code")) for home in homes])
    st.subheader(text("explain.reliance"), anchor=False)
    st.markdown(reliance_sentence(lines, before.version, after.version, text))
    alt = "; ".join(
        f"{effects.column_name(line.column, text)}: {text.share(line.before, 1)} → {text.share(line.after, 1)}"
        for line in lines
    )
    chart(
        charts_explain.reliance_chart(lines, before.version, after.version, text),
        "explain.reliance",
        f"{text('explain.reliance_title')}. {alt}",
    )
    unmeasured = before.noise is None or after.noise is None
    st.caption(text("explain.band_constant") if unmeasured else text("explain.band_measured"))


def _show_dependence(before: Explanation, after: Explanation, homes: Sequence[Home], text: Text) -> None:
    st.subheader(text("explain.dependence"), anchor=False)
    options = [name for name in charts_effects.COMPARABLE if name in after.columns or name in before.columns]
    named = st.query_params.get(COLUMN_PARAMETER)
    column = st.selectbox(
        text("explain.column"),
        options,
        index=options.index(named) if named in options else 0,
        format_func=lambda name: effects.column_name(name, text),
        key="explain.column",
    )
    remember(COLUMN_PARAMETER, column, options[0])
    name = effects.column_name(column, text)
    chart(
        charts_effects.dependence_chart(before, after, homes, column, text),
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
    alt = "; ".join(f"{effects.part_name(name, text)}: {text.share(math.expm1(size), 1)}" for name, size in parts)
    chart(charts_effects.moved_chart(parts, text), "explain.moved", f"{text('explain.moved_title')}. {alt}")
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
    chart(
        charts_effects.mover_chart(mover, before.version, after.version, text),
        "explain.mover",
        f"{effects.home_name(mover.home, text)}: {parts_text(mover, text, len(mover.parts))}",
    )
    st.caption(text("explain.exact"))
