"""History: who was in production, one line for each run, and the whole evidence of the one that is selected."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from ct_dashboard import charts, insight_reads, session, tables, tables_explain
from ct_dashboard.data import Decision, History, Run
from ct_dashboard.diagnostics import aside
from ct_dashboard.explaining import compare_reliance
from ct_dashboard.text import Text
from ct_dashboard.views.common import DATABASE_ERRORS, chart, nothing, plain, read

RUN_PARAMETER = "run"
HEADER_HEIGHT, ROW_HEIGHT, TABLE_HEIGHT = 38, 100, 740
"""Of the table, pixels: a row has room for five lines of reasons, the table for seven rows at once."""

MOST_CHARACTERS = 250
"""Of a reason in the table, in five lines. The selected run's reasons stand below it whole."""


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("history.title"), anchor=False)
    st.write(text("history.intro"))
    named = st.query_params.get(RUN_PARAMETER)
    history = read(lambda: session.history(session.settings().database_url, named), "history", text)
    if history is None:
        return
    if not history.runs:
        nothing(text("history.empty"), "history")
        return
    _show_figures(history, text)
    _show_story(history, text)
    _show_timeline(history, text)
    if history.totals.runs > len(history.runs):
        st.caption(text("history.newest", count=text.number(len(history.runs)), total=text.number(history.totals.runs)))
    run = _select(history, named, text)
    if run is None:
        st.caption(text("history.more"))
    else:
        _show_run(run, text)


def _show_figures(history: History, text: Text) -> None:
    champion, total = history.champion, history.totals.batches
    figures = {
        "champion": text("history.champion_none") if champion is None else text("history.version", version=champion),
        "batches": text.number(total),
        "trained": text("history.of", count=history.totals.trained, total=total),
        "promoted": text("history.of", count=history.totals.promoted, total=total),
    }
    with st.container(horizontal=True, key="history.figures"):
        for name, value in figures.items():
            st.metric(text(f"history.{name}"), value, border=True)
    if total == 1:
        st.caption(text("history.one_batch"))


def _show_story(history: History, text: Text) -> None:
    """Why the champion is there, what it relies on that the one before did not, and what was last rejected and why."""
    champion = tables.champion_story(history, text)
    if champion:
        st.success(_told("story_champion", champion, text), icon=":material/verified:")
    _show_reliance(history, text)
    judged = [run for run in history.runs if run.verdict is not None]
    rejected = next((run for run in judged if run.line["promotion_outcome"] == "reject"), None)
    if rejected is not None:
        st.warning(_told("story_rejected", tables.sentence(rejected.verdict, text), text), icon=":material/cancel:")
    elif judged:
        st.caption(text("history.none_rejected"))


def _told(key: str, words: str, text: Text) -> str:
    return plain(f"**{text(f'history.{key}')}** {words}")


def _show_reliance(history: History, text: Text) -> None:
    """What the champion relies on differently from the version before it; nothing where that was not measured."""
    settings = session.settings()
    if history.champion is None:
        return
    try:
        measured = insight_reads.measured(settings.database_url, settings.model_name)
        before = measured.predecessor(history.champion)
        common = before and measured.common_set(before, history.champion)
        if not before or not common:
            return
        pair = [history.champion, before]
        homes, found = insight_reads.explanations(settings.database_url, settings.model_name, common.digest, pair)
    except DATABASE_ERRORS:
        st.caption(text("error.database_down"))
        return
    lines = compare_reliance(found[before], found[history.champion], [str(home.get("zip_code")) for home in homes])
    words = tables_explain.reliance_sentence(lines, before, history.champion, text)
    address = other_page("explainability", text, version=history.champion, against=before)
    st.info(
        f"{_told('story_reliance', words, text)} [{text('history.more_reliance')}]({address})", icon=":material/account_tree:"
    )


def _show_timeline(history: History, text: Text) -> None:
    if not history.reigns:
        st.caption(text("history.timeline_empty"))
        return
    versions = ", ".join(
        f"{text('history.version', version=reign.version)} ({text.time(reign.since)} – {text.time(reign.until)})"
        for reign in history.reigns
    )
    figure = charts.timeline_chart(history.reigns, history.batches, text)
    chart(figure, "history.timeline", text("history.timeline_alt", versions=versions))


def _select(history: History, named: str | None, text: Text) -> Run | None:
    """The run that the person selects in the table, or that the address names."""
    index = next((number for number, run in enumerate(history.runs) if run.key == named), None)
    if named is not None and index is None:
        st.warning(text("history.gone", run_id=named))
    wide = {
        text("history.col_trained_why"): st.column_config.TextColumn(width=380),
        text("history.col_promoted_why"): st.column_config.TextColumn(width=380),
        text("history.col_batch"): st.column_config.TextColumn(pinned=True, width=70),
    }
    table = tables.history_table(history.runs, text)
    for name in ("history.col_trained_why", "history.col_promoted_why"):
        table[text(name)] = [tables.shortened(words, MOST_CHARACTERS) for words in table[text(name)]]
    chosen: Any = st.dataframe(
        table,
        key="history.table",
        width="stretch",
        height=min(HEADER_HEIGHT + ROW_HEIGHT * len(history.runs), TABLE_HEIGHT),
        row_height=ROW_HEIGHT,
        hide_index=True,
        column_config=wide,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=None if index is None else {"selection": {"rows": [index], "columns": [], "cells": []}},
        alt=text("history.table_alt"),
    )
    rows: list[int] = chosen.selection.rows
    if not rows or rows[0] >= len(history.runs):
        if RUN_PARAMETER in st.query_params and index is not None:
            del st.query_params[RUN_PARAMETER]
        return None
    run = history.runs[rows[0]]
    if named != run.key:
        st.query_params[RUN_PARAMETER] = run.key
    return run


def _show_run(run: Run, text: Text) -> None:
    number = run.line["batch_number"]
    title = text("history.detail_title_none") if number is None else text("history.detail_title", number=number)
    st.header(title, anchor=False, divider=True)
    if run.intake is not None:
        _show_decision(run.intake, "intake", text)
    if run.retrain is not None or run.intake is None:
        _show_decision(run.retrain, "training", text)
        if run.retrain is not None:
            _show_evidence(run.retrain, "signals", text)
    if run.promotion is not None:
        _show_decision(run.promotion, "promotion", text)
        _show_evidence(run.promotion, "gates", text)
    if run.approval is not None:
        _show_decision(run.approval, "approval", text)
    _show_links(run, text)


def _show_decision(decision: Decision | None, kind: str, text: Text) -> None:
    st.subheader(text(f"history.{kind}"), anchor=False)
    if decision is None:
        st.caption(text("history.no_decision"))
        return
    st.markdown(plain(tables.sentence(decision, text)))
    facts = {"code": decision["code"], "time": text.time(decision["decided_at"])}
    if decision["policy_name"]:
        st.caption(text("history.policy", name=decision["policy_name"], version=decision["policy_version"], **facts))
    else:
        st.caption(text("history.policy_none", **facts))


def _show_evidence(decision: Decision, kind: str, text: Text) -> None:
    lines = decision[kind]
    uncounted = aside(decision) if kind == "gates" else []
    if not lines:
        st.caption(text(f"history.no_{kind}"))
        return
    title = text(f"history.{kind}")
    st.markdown(f"**{title}**")
    st.dataframe(
        tables.evidence_table(lines, text, uncounted), key=f"history.{kind}", width="stretch", hide_index=True, alt=title
    )


def _show_links(run: Run, text: Text) -> None:
    settings = session.settings()
    line = run.line
    links = [(text("history.airflow_run"), settings.airflow_run(line["dag_id"], line["run_id"]))]
    links.append((text("history.mlflow_run"), settings.mlflow_run(run.mlflow_run_id) if run.mlflow_run_id else None))
    links += [
        (text(f"history.mlflow_{role}", version=version), settings.mlflow_version(version))
        for role in ("challenger", "champion")
        if (version := line[f"{role}_version"])
    ]
    report = None
    if line["batch_id"] is not None:
        try:
            report = session.report(settings.database_url, line["batch_id"])
        except DATABASE_ERRORS:
            st.caption(text("error.database_down"))
    links += _other_pages(run, text)
    if report is None and not any(address for _, address in links):
        return
    st.subheader(text("history.links"), anchor=False)
    with st.container(horizontal=True, key="history.links"):
        for label, address in links:
            if address:
                st.link_button(label, address, icon=":material/open_in_new:")
        if report is not None:
            st.download_button(
                text("history.report"),
                report,
                file_name=f"batch-{line['batch_number']}-report.html",
                mime="text/html",
                key="history.report",
                icon=":material/description:",
            )


def other_page(page: str, text: Text, **parameters: Any) -> str:
    """The address of another page, beside this page's own, in the same language."""
    return f"{page}?{urlencode({**parameters, session.LANGUAGE_KEY: text.language})}"


def _other_pages(run: Run, text: Text) -> list[tuple[str, str | None]]:
    """The same run on the other pages."""
    line = run.line
    links: list[tuple[str, str | None]] = []
    if run.promotion is not None:
        links.append((text("history.compare"), other_page("comparison", text, run=run.key)))
        versions = {"version": line["challenger_version"], "against": run.promotion["champion_version"]}
        if all(versions.values()):
            links.append((text("app.explainability"), other_page("explainability", text, **versions)))
    if line["validation_accepted"] is not None:
        links.append((text("history.data_quality"), other_page("quality", text, batch=line["batch_id"])))
    return links
