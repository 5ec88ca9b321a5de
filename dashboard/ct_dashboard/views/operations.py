"""Operations: how much the API is asked, how fast and how well it answers, and where the model that answers comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from ct_dashboard import charts_data, charts_operations, lineage, operations, reads, session, tables
from ct_dashboard.api import ApiError
from ct_dashboard.data import History
from ct_dashboard.listings import PRICE_BINS, PriceBins
from ct_dashboard.prometheus import NothingMeasuredError, gauges
from ct_dashboard.text import Text
from ct_dashboard.views.common import DATABASE_ERRORS, chart, nothing, plain, read, remember, show_api_error

HOURS_PARAMETER = "hours"
VERSION_PARAMETER = "version"
_SPOOL, _QUEUE, _LOST = "ct_inference_log_spooled_rows", "ct_inference_log_queue_size", "ct_inference_log_dropped_total"


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("operations.title"), anchor=False)
    st.write(text("operations.intro"))
    _show_now(text)
    _show_traffic(text)
    url = session.settings().database_url
    history = read(lambda: session.history(url), "operations", text)
    if history is not None:
        _show_prices(history, url, text)
        _show_lineage(history, url, text)


def _show_now(text: Text) -> None:
    api = session.api(session.settings().serving_url)
    try:
        ready, metrics = api.readiness(), gauges(api.metrics())
    except ApiError as error:
        show_api_error(error, text)
        session.retry_button("operations.again")
        return
    model = ready.get("model") or {}
    figures = {
        "model": text("history.version", version=model["version"]) if model else text("history.champion_none"),
        "spool": text.number(metrics.get(_SPOOL, 0)),
        "queue": text.number(metrics.get(_QUEUE, 0)),
        "lost": text.number(metrics.get(_LOST, 0)),
    }
    with st.container(horizontal=True, key="operations.now"):
        for name, value in figures.items():
            st.metric(text(f"operations.now_{name}"), value, border=True, help=text(f"operations.help_{name}"))
    if not model:
        nothing(text("error.no_model"), "operations.model")
    _show_degraded(ready, text)


def _show_degraded(ready: Mapping[str, object], text: Text) -> None:
    parts = ready.get("degraded")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and part.get("part") != "model":
            st.warning(text("operations.degraded", part=part.get("part"), detail=part.get("detail")), icon=":material/warning:")


def _show_traffic(text: Text) -> None:
    st.subheader(text("operations.traffic"), anchor=False)
    linked = st.query_params.get(HOURS_PARAMETER, "")
    hours = st.segmented_control(
        text("operations.span"),
        operations.HOURS,
        default=int(linked) if linked.isdigit() and int(linked) in operations.HOURS else 24,
        required=True,
        key="operations.hours",
        format_func=lambda value: text(f"operations.hours_{value}"),
    )
    remember(HOURS_PARAMETER, str(hours), "24")
    found = _traffic(hours, text)
    if found is None:
        return
    if not found.requests:
        st.info(text("operations.no_requests"), icon=":material/inbox:")
        return
    worst = found.worst_p95
    figures = {
        "requests": text.number(found.requests),
        "failures": text.share(found.failed_share, 2),
        "slowest": "–" if worst is None else f"{text.number(worst * 1000)} ms",
    }
    with st.container(horizontal=True, key="operations.figures"):
        for name, value in figures.items():
            st.metric(text(f"operations.sum_{name}"), value, border=True)
    left, right = st.columns(2, gap="large")
    alt = text("operations.volume_alt", requests=figures["requests"], failed=figures["failures"])
    with left:
        chart(charts_operations.volume_chart(found, text), "operations.volume", alt)
    with right:
        chart(charts_operations.latency_chart(found, text), "operations.latency",
              text("operations.latency_alt", worst=figures["slowest"]))  # fmt: skip
    st.caption(text(f"operations.from_{found.source}"))


def _traffic(hours: int, text: Text) -> operations.Traffic | None:
    """From Prometheus where one is configured and has it, else from RAW; None after saying that neither answers."""
    settings = session.settings()
    if settings.prometheus_url:
        # On whole minutes, so that what was read a moment ago can be shown again.
        found = reads.measured_traffic(settings.prometheus_url, hours, datetime.now(UTC).replace(second=0, microsecond=0))
        if isinstance(found, operations.Traffic):
            return found
        if isinstance(found, NothingMeasuredError):
            st.info(text("operations.prometheus_empty"), icon=":material/cloud_queue:")
        else:
            st.warning(text("operations.prometheus_down", detail=str(found)[:200]), icon=":material/cloud_off:")
    return read(lambda: reads.traffic(settings.database_url, hours), "operations.traffic", text)


def _show_prices(history: History, url: str, text: Text) -> None:
    st.subheader(text("operations.prices"), anchor=False)
    try:
        found = reads.answered(url)
        trained = _trained_prices(history, url)
    except DATABASE_ERRORS:
        st.caption(text("error.database_down"))
        return
    if not found.count:
        st.caption(text("operations.no_answers"))
        return
    named = [(text("operations.answers", count=text.number(found.count)), PriceBins(0, found.price_counts))]
    if trained is not None:
        named.append((text("operations.training", version=history.champion), trained))
    title = text("operations.prices_title")
    chart(
        charts_data.density_chart(named, text, title), "operations.prices", f"{title}: {', '.join(name for name, _ in named)}"
    )
    versions = ", ".join(
        f"{text('history.version', version=name)}: {text.number(count)}" for name, count in found.by_version.items()
    )
    st.caption(text("operations.by_version", versions=versions))
    if found.feedback is None:
        st.caption(text("operations.no_feedback"))
    else:
        told = found.feedback
        st.write(
            text("operations.feedback", count=text.number(told.count), error=text.share(told.median_error, 1),
                 inside=text.share(told.inside))
        )  # fmt: skip


def _trained_prices(history: History, url: str) -> PriceBins | None:
    """Prices of the homes that the champion was trained on: the training rows of all batches up to its own."""
    own = next((run for run in history.batches if run.line["challenger_version"] == history.champion), None)
    if history.champion is None or own is None:
        return None
    batches = sorted(int(run.line["batch_id"]) for run in history.batches if run.line["batch_id"] <= own.line["batch_id"])
    bins = reads.price_bins(url, batches, ("train",))
    return PriceBins(0, [sum(part.counts[number] for part in bins) for number in range(PRICE_BINS)]) if bins else None


def _show_lineage(history: History, url: str, text: Text) -> None:
    st.subheader(text("lineage.title"), anchor=False)
    trained = [run.line["challenger_version"] for run in history.runs]
    versions = list(dict.fromkeys(str(version) for version in (*trained, history.champion) if version))
    if not versions:
        st.caption(text("lineage.empty"))
        return
    st.write(text("lineage.intro"))
    standard, named = history.champion or versions[0], st.query_params.get(VERSION_PARAMETER)
    version = st.selectbox(
        text("lineage.choose"),
        versions,
        index=versions.index(named if named in versions else standard),
        key="operations.version",
        format_func=lambda value: text("history.version", version=value),
    )
    remember(VERSION_PARAMETER, version, standard)
    run = next((run for run in history.runs if run.line["challenger_version"] == version), None)
    line = read(lambda: reads.line_of(url, session.settings().model_name, version), "lineage", text)
    if line is None:
        return
    found = lineage.steps(_with_served_tags(line), text)
    spoken = "; ".join(f"{text(f'lineage.{name}')}: {value}" for name, value in found)
    left, right = st.columns([2, 3], gap="large")
    with left:
        chart(charts_operations.lineage_chart(found, text), "lineage.graph", text("lineage.alt", steps=spoken))
    with right:
        for told in (run and run.retrain, run and run.verdict):
            if told:
                st.write(plain(tables.sentence(told, text)))
        _show_links(line, text)


def _with_served_tags(line: lineage.Line) -> lineage.Line:
    """Image and code of the version that answers, which only the API tells this page."""
    try:
        served = session.served_model(session.settings().serving_url)
    except ApiError:
        return line
    return lineage.with_tags(line, served.tags) if served.version == line.version else line


def _show_links(line: lineage.Line, text: Text) -> None:
    settings = session.settings()
    links = [
        (text("history.airflow_run"), settings.airflow_run(line.dag_id, line.run_id)),
        (text("history.mlflow_run"), settings.mlflow_run(line.mlflow_run_id) if line.mlflow_run_id else None),
        (text("lineage.mlflow_version", version=line.version), settings.mlflow_version(line.version)),
    ]
    with st.container(horizontal=True, key="lineage.links"):
        for label, address in links:
            if address:
                st.link_button(label, address, icon=":material/open_in_new:")
