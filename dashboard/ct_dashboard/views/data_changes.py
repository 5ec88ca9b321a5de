"""Data changes: which columns moved in which batch, prices by batch, values never seen, and the champion's error on arrival."""

from __future__ import annotations

import streamlit as st

from ct_dashboard import charts_data as charts
from ct_dashboard import drift, reads, session
from ct_dashboard.data import History
from ct_dashboard.text import Text
from ct_dashboard.views.common import DATABASE_ERRORS, chart, nothing, read, remember

MOST_DENSITIES = 8
MEASURE_PARAMETER = "measure"


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("data.title"), anchor=False)
    st.write(text("data.intro"))
    url = session.settings().database_url
    history = read(lambda: session.history(url), "data", text)
    if history is None:
        return
    if not history.batches:
        nothing(text("data.empty"), "data")
        return
    if drift.measured_batches(history):
        _show_drift(history, text)
        _show_errors(history, text)
    else:
        st.info(text("data.one_batch"), icon=":material/looks_one:")
    _show_prices(history, url, text)


def _show_drift(history: History, text: Text) -> None:
    st.subheader(text("data.drift"), anchor=False)
    linked = st.query_params.get(MEASURE_PARAMETER)
    measure = st.segmented_control(
        text("data.measure"),
        drift.MEASURES,
        default=linked if linked in drift.MEASURES else drift.MEASURES[0],
        required=True,
        key="data.measure",
        format_func=lambda name: text(f"data.measure_{name}"),
    )
    remember(MEASURE_PARAMETER, measure, drift.MEASURES[0])
    found = drift.signals(history, measure)
    if not found:
        st.caption(text("data.not_measured"))
        return
    st.caption(text(f"data.help_{measure}"))
    alarms = drift.alarms(found)
    spoken = "; ".join(
        f"{charts.feature_name(cell.feature or '', text)} ({text('data.batch', number=cell.batch)}): "
        f"{text.significant(cell.value)}, {text(f'data.level_{cell.verdict}')}"
        for cell in alarms[:10]
    )
    alt = text("data.drift_alt", alarms=spoken or text("data.no_alarm"))
    chart(charts.drift_chart(found, text, text(f"data.title_{measure}")), "data.drift", alt)


def _show_errors(history: History, text: Text) -> None:
    left, right = st.columns(2, gap="large")
    arrival = drift.signals(history, "error_ratio")
    if any(cell.value is not None for cell in arrival):
        spoken = ", ".join(f"{text('data.batch', number=cell.batch)} {text.significant(cell.value)}" for cell in arrival)
        with left:
            chart(charts.arrival_chart(arrival, text), "data.arrival", f"{text('data.arrival')}: {spoken}")
            st.caption(text("data.arrival_help"))
    unseen = {name: cells for name in drift.UNSEEN if (cells := drift.signals(history, name))}
    if unseen:
        spoken = "; ".join(
            f"{text(f'data.{name}')} {text.share(max((cell.value or 0 for cell in cells), default=0), 1)}"
            for name, cells in unseen.items()
        )
        with right:
            chart(charts.unseen_chart(unseen, text), "data.unseen", text("data.unseen_alt", most=spoken))
            st.caption(text("data.unseen_help"))


def _show_prices(history: History, url: str, text: Text) -> None:
    st.subheader(text("data.prices"), anchor=False)
    cleaned = [run for run in history.batches if run.line["rows_accepted"]][:MOST_DENSITIES]
    if not cleaned:
        st.caption(text("data.no_prices"))
        return
    streams = len({run.line["stream"] for run in cleaned})
    names = {run.line["batch_id"]: text("data.batch", number=drift.batch_name(run, streams)) for run in cleaned}
    try:
        found = reads.price_bins(url, list(names))
    except DATABASE_ERRORS:
        st.caption(text("error.database_down"))
        return
    if not found:
        st.caption(text("data.no_prices"))
        return
    named = [(names[bins.batch_id], bins) for bins in found]
    title = text("data.prices_title")
    chart(charts.density_chart(named, text, title), "data.prices", f"{title}: {', '.join(name for name, _ in named)}")
    if len(cleaned) == MOST_DENSITIES:
        st.caption(text("data.newest_batches", count=MOST_DENSITIES))
