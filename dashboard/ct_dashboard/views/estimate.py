"""Estimate: a form, and the price with its range, version and warnings."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st
from ct_contract import ContractError, StepError

from ct_dashboard import charts, session
from ct_dashboard.api import ApiDownError, ApiError, ApiFailedError, Estimate, NoModelError, RefusedError
from ct_dashboard.data import Places
from ct_dashboard.text import Text

_ANSWER = "estimate.answer"
_STATUSES = ("for_sale", "sold", "ready_to_build")


def show() -> None:
    """Draw the page."""
    text = session.text()
    st.title(text("estimate.title"), anchor=False)
    st.write(text("estimate.intro"))
    _show_model(text)
    form, answer = st.columns([3, 2], gap="large")
    with form:
        home = _form(text)
    with answer:
        if home is not None:
            _ask(home, text)
        _show_answer(text)


def _show_model(text: Text) -> None:
    url = session.settings().serving_url
    try:
        model = session.served_model(url)
    except ApiError as error:
        _show_error(error, text)
        session.retry_button("estimate.retry")
    else:
        st.caption(text("estimate.model", version=model.version, age=text.age(model.loaded_at)))


def _places(text: Text) -> Places | None:
    try:
        places = session.places(session.settings().database_url)
    except (StepError, ContractError):
        st.warning(text("error.places_down"), icon=":material/database_off:")
        return None
    if not places.tree:
        # A list that is empty is asked for again at the next look: the first batch may be cleaned by then.
        session.places.clear()
        st.info(text("estimate.no_places"))
        return None
    return places


def _form(text: Text) -> dict[str, Any] | None:
    st.subheader(text("estimate.where"), anchor=False)
    home = _where(_places(text), text)
    st.subheader(text("estimate.what"), anchor=False)
    with st.form("estimate.form", border=False):
        home |= _what(text)
        submitted = st.form_submit_button(
            text("estimate.submit"), key="estimate.submit", type="primary", width="stretch", icon=":material/sell:"
        )
    return home if submitted else None


def _where(places: Places | None, text: Text) -> dict[str, Any]:
    columns = st.columns(3)
    if places is None:
        return {
            name: columns[index].text_input(
                text(f"estimate.{name}"), key=f"estimate.{name}.text", placeholder=text("estimate.any"), max_chars=100
            )
            or None
            for index, name in enumerate(("state", "city", "zip_code"))
        }
    chosen: dict[str, Any] = {"index": None, "placeholder": text("estimate.any")}
    state = columns[0].selectbox(text("estimate.state"), places.states(), key="estimate.state", **chosen)
    # The keys hold what the choices depend on, so that no city of another state stays chosen.
    city = columns[1].selectbox(
        text("estimate.city"), places.cities(state), key=f"estimate.city.{state}", disabled=state is None, **chosen
    )
    zip_code = columns[2].selectbox(
        text("estimate.zip_code"),
        places.zip_codes(state, city),
        key=f"estimate.zip_code.{state}.{city}",
        disabled=state is None,
        **chosen,
    )
    return {"state": state, "city": city, "zip_code": zip_code}


def _what(text: Text) -> dict[str, Any]:
    left, right = st.columns(2)
    unknown = text("estimate.any")
    status = left.selectbox(
        text("estimate.status"),
        _STATUSES,
        key="estimate.status",
        format_func=lambda value: text(f"estimate.status_{value}"),
    )
    size = right.number_input(
        text("estimate.house_size"), 100, 50_000, 1800, 50, key="estimate.house_size", placeholder=unknown
    )
    bed = left.number_input(text("estimate.bed"), 0, 50, 3, 1, key="estimate.bed", placeholder=unknown)
    bath = right.number_input(text("estimate.bath"), 0, 50, 2, 1, key="estimate.bath", placeholder=unknown)
    lot = left.number_input(text("estimate.acre_lot"), 0.0, 10_000.0, 0.2, 0.05, key="estimate.acre_lot", placeholder=unknown)
    sold = right.date_input(
        text("estimate.prev_sold_date"),
        None,
        min_value=date(1900, 1, 1),
        max_value="today",
        key="estimate.prev_sold_date",
        format="YYYY-MM-DD",
    )
    return {
        "status": status,
        "house_size": size,
        "bed": bed,
        "bath": bath,
        "acre_lot": lot,
        "prev_sold_date": sold.isoformat() if isinstance(sold, date) else None,
    }


def _ask(home: dict[str, Any], text: Text) -> None:
    try:
        with st.spinner(text("estimate.loading")):
            st.session_state[_ANSWER] = session.api(session.settings().serving_url).predict(home)
    except ApiError as error:
        st.session_state[_ANSWER] = error


def _show_answer(text: Text) -> None:
    answer = st.session_state.get(_ANSWER)
    if isinstance(answer, Estimate):
        _show_estimate(answer, text)
    elif isinstance(answer, ApiError):
        _show_error(answer, text)
    else:
        st.caption(text("estimate.nothing_yet"))


def _show_estimate(estimate: Estimate, text: Text) -> None:
    low, high = text.money(estimate.low), text.money(estimate.high)
    st.metric(text("estimate.price"), text.money(estimate.price))
    st.metric(text("estimate.interval"), f"{low} – {high}", help=text("estimate.interval_help"))
    st.plotly_chart(
        charts.interval_chart(estimate, text),
        key="estimate.interval",
        width="stretch",
        config={"displayModeBar": False},
        alt=text("estimate.interval_alt", low=low, high=high, price=text.money(estimate.price)),
    )
    if estimate.warnings:
        lines = "\n".join(f"- {warning_text(warning, text)}" for warning in estimate.warnings)
        st.warning(f"**{text('estimate.warnings')}**\n\n{lines}", icon=":material/info:")
    st.caption(text("estimate.computed", name=estimate.model_name, version=estimate.model_version))
    st.caption(text("estimate.request", request_id=estimate.request_id))


def warning_text(warning: Any, text: Text) -> str:
    """A warning of the API in the person's language; the API's own words for a kind that is not known here."""
    field = text.or_none(f"estimate.{warning['field']}") or warning["field"]
    return text.or_none(f"warning.{warning['kind']}", field=field) or str(warning["message"])


def _show_error(error: ApiError, text: Text) -> None:
    if isinstance(error, NoModelError):
        st.info(text("error.no_model"), icon=":material/hourglass_empty:")
    elif isinstance(error, RefusedError):
        lines = [
            text(
                "error.refused_field",
                field=text.or_none(f"estimate.{problem['field']}") or problem["field"],
                message=problem["message"],
                allowed=problem["allowed"] or "–",
            )
            for problem in error.problems
        ]
        st.error("\n\n".join([text("error.refused"), *lines]), icon=":material/block:")
    elif isinstance(error, ApiFailedError):
        st.error(text("error.failed", status=error.status, request_id=error.request_id), icon=":material/error:")
    elif isinstance(error, ApiDownError):
        st.error(text("error.api_down", url=session.settings().serving_url), icon=":material/cloud_off:")
