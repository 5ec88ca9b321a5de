"""Below an estimate: what it is made of, comparable listings, and the real price."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ct_dashboard import charts, reads, session, tables
from ct_dashboard.api import KINDS, ApiError, Estimate, Explanation, FeedbackReceipt, UnsupportedError
from ct_dashboard.text import Text
from ct_dashboard.views.common import DATABASE_ERRORS, chart, show_api_error

_EXPLAINED = "estimate.explained"
_TOLD = "estimate.told"


def show(home: dict[str, Any], estimate: Estimate, text: Text) -> None:
    """Draw it for the home that the estimate is of."""
    _show_explanation(home, estimate, text)
    _show_comparables(home, text)
    _show_feedback(estimate, text)


def _show_explanation(home: dict[str, Any], estimate: Estimate, text: Text) -> None:
    st.subheader(text("estimate.why"), anchor=False)
    found = _explained(home, estimate, text)
    if isinstance(found, UnsupportedError):
        st.caption(text("estimate.no_explanation"))
    elif isinstance(found, ApiError):
        show_api_error(found, text)
    else:
        st.write(text("estimate.why_intro"))
        parts = ", ".join(
            f"{text.or_none(f'field.{part.field}') or part.field} {text.signed_money(part.usd)}"
            for part in found.parts[: charts.MOST_PARTS]
        )
        alt = text("estimate.waterfall_alt", base=text.money(found.base), price=text.money(found.price), parts=parts)
        chart(charts.waterfall_chart(found, home, text), "estimate.waterfall", alt)


def _explained(home: dict[str, Any], estimate: Estimate, text: Text) -> Explanation | ApiError:
    """The explanation of this very estimate, asked for once."""
    kept = st.session_state.get(_EXPLAINED)
    if kept is None or kept[0] != estimate.request_id:
        found: Explanation | ApiError
        try:
            with st.spinner(text("estimate.explaining")):
                found = session.api(session.settings().serving_url).explain(home, estimate.request_id)
        except ApiError as error:
            found = error
        kept = st.session_state[_EXPLAINED] = (estimate.request_id, found)
    explanation: Explanation | ApiError = kept[1]
    return explanation


def _show_comparables(home: dict[str, Any], text: Text) -> None:
    st.subheader(text("estimate.comparables"), anchor=False)
    if not home.get("zip_code"):
        st.caption(text("estimate.comparables_need_zip"))
        return
    try:
        found = reads.comparables(session.settings().database_url, home)
    except DATABASE_ERRORS:
        st.caption(text("error.database_down"))
        return
    if not found:
        st.caption(text("estimate.no_comparables"))
        return
    st.write(text("estimate.comparables_intro"))
    st.dataframe(
        tables.comparables_table(found, text),
        key="estimate.comparables",
        width="stretch",
        hide_index=True,
        alt=text("estimate.comparables"),
    )


def _show_feedback(estimate: Estimate, text: Text) -> None:
    st.subheader(text("estimate.feedback"), anchor=False)
    told = st.session_state.get(_TOLD)
    if told is not None and told[0] == estimate.request_id:
        _show_told(told[1], text)
        if isinstance(told[1], FeedbackReceipt):
            return
    with st.form("estimate.feedback", border=False):
        left, right = st.columns(2)
        actual = left.number_input(
            text("estimate.actual"), 1.0, 1e12, None, 1000.0, key="estimate.actual", placeholder=text("estimate.any")
        )
        kind = right.selectbox(
            text("estimate.kind"), KINDS, key="estimate.kind", format_func=lambda value: text(f"estimate.kind_{value}")
        )
        sent = st.form_submit_button(text("estimate.send"), key="estimate.send", icon=":material/send:")
    if sent and actual is not None:
        try:
            answer: FeedbackReceipt | ApiError = session.api(session.settings().serving_url).feedback(
                estimate.request_id, actual, kind
            )
        except ApiError as error:
            answer = error
        st.session_state[_TOLD] = (estimate.request_id, answer)
        st.rerun()


def _show_told(answer: FeedbackReceipt | ApiError, text: Text) -> None:
    if isinstance(answer, UnsupportedError):
        st.caption(text("estimate.no_feedback"))
    elif isinstance(answer, ApiError):
        show_api_error(answer, text)
    elif answer.predicted is None:
        st.success(text("estimate.thanks"), icon=":material/check:")
    else:
        off = text.percent(answer.predicted / answer.actual - 1)
        st.success(text("estimate.thanks_off", off=off), icon=":material/check:")
