"""Batch estimates: a CSV file in, a table and a file with prices out, with the errors of each row."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import streamlit as st

from ct_dashboard import batch, session, tables
from ct_dashboard.api import ApiError
from ct_dashboard.text import Text
from ct_dashboard.views.common import plain, show_api_error

_DONE = "batch.done"


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("batch.title"), anchor=False)
    st.write(text("batch.intro", most=text.number(batch.MOST_ROWS)))
    with st.expander(text("batch.format")):
        st.markdown(text("batch.format_help", columns=", ".join(f"`{name}`" for name in batch.FIELDS)))
        st.download_button(
            text("batch.example"), batch.EXAMPLE, "homes.csv", "text/csv", key="batch.example", icon=":material/download:",
            on_click="ignore",
        )  # fmt: skip
    try:
        model = session.served_model(session.settings().serving_url)
        st.caption(text("estimate.model", version=model.version, age=text.age(model.loaded_at)))
    except ApiError as error:
        show_api_error(error, text)
        session.retry_button("batch.retry")
    file = st.file_uploader(text("batch.file"), type="csv", key="batch.file", max_upload_size=20)
    if file is None:
        return
    try:
        sheet = batch.read_sheet(file.getvalue())
    except batch.SheetError as error:
        facts = {name: text.number(fact) if isinstance(fact, int) else fact for name, fact in error.facts.items()}
        st.error(plain(text(f"batch.error_{error.code}", **facts)), icon=":material/block:")
        return
    _show_sheet(sheet, text)
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    if st.button(
        text("batch.submit", count=text.number(len(sheet.rows))),
        key="batch.submit",
        type=session.main_button(),
        icon=":material/sell:",
    ):
        st.session_state[_DONE] = (digest, _price(sheet, text))
    done = st.session_state.get(_DONE)
    if done is not None and done[0] == digest:
        _show_done(sheet, done[1], text)


def _show_sheet(sheet: batch.Sheet, text: Text) -> None:
    st.caption(text("batch.read", rows=text.number(len(sheet.rows)), columns=", ".join(sheet.used)))
    if sheet.ignored:
        st.caption(text("batch.ignored", columns=", ".join(sheet.ignored)[:300]))


def _price(sheet: batch.Sheet, text: Text) -> batch.Pricing:
    """Ask for every row, with the progress on the page."""
    homes = sheet.homes()
    bar = st.progress(0.0, text=text("batch.progress", done=0, total=text.number(len(homes))))
    found = batch.Pricing()
    api = session.api(session.settings().serving_url)
    for found in batch.price(homes, api.predict_many):
        done = text("batch.progress", done=text.number(len(found.rows)), total=text.number(len(homes)))
        bar.progress(len(found.rows) / len(homes), text=done)
    bar.empty()
    return found


def _show_done(sheet: batch.Sheet, done: batch.Pricing, text: Text) -> None:
    priced = [row for row in done.rows if row.price is not None]
    faulty = [(number, row) for number, row in enumerate(done.rows, start=1) if row.problems]
    if done.error is not None:
        show_api_error(done.error, text)
        left = len(sheet.rows) - len(done.rows)
        st.warning(text("batch.stopped", done=text.number(len(done.rows)), left=text.number(left)), icon=":material/pause:")
    figures = {"priced": len(priced), "faulty": len(faulty), "warned": sum(bool(row.warnings) for row in priced)}
    with st.container(horizontal=True, key="batch.figures"):
        for name, count in figures.items():
            st.metric(text(f"batch.{name}"), text.number(count), border=True)
    if faulty:
        st.subheader(text("batch.errors"), anchor=False)
        table = tables.problems_table(faulty, text)
        st.dataframe(table, key="batch.errors", width="stretch", hide_index=True, alt=text("batch.errors"))
    if not done.rows:
        return
    table = batch.answers(sheet, done.rows)
    st.subheader(text("batch.result"), anchor=False)
    st.dataframe(
        table,
        key="batch.result",
        width="stretch",
        hide_index=True,
        column_config=_money_columns(table, text),
        column_order=[*(name for name in batch.ANSWERS if name != "error"), *sheet.columns],
        alt=text("batch.result_alt", count=text.number(len(priced))),
    )
    st.download_button(
        text("batch.download"), batch.as_csv(table), "estimates.csv", "text/csv", key="batch.download",
        icon=":material/download:", type=session.main_button(), on_click="ignore",
    )  # fmt: skip


def _money_columns(table: pd.DataFrame, text: Text) -> dict[str, Any]:
    money = {name: st.column_config.NumberColumn(text(f"batch.col_{name}"), format="dollar", step=1)
             for name in ("price", "price_low", "price_high")}  # fmt: skip
    words = {name: text(f"batch.col_{name}") for name in ("model_version", "warnings")}
    return {name: value for name, value in {**money, **words}.items() if name in table}
