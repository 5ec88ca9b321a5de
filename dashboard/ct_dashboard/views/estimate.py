"""Estimate: a form, and the price with its range, version and warnings."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from ct_dashboard import charts, session
from ct_dashboard.api import ApiError, Estimate
from ct_dashboard.data import Places
from ct_dashboard.text import Text
from ct_dashboard.views import estimate_details
from ct_dashboard.views.common import DATABASE_ERRORS, chart, field_name, plain, show_api_error

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
    asked, answered = st.session_state.get(_ANSWER) or ({}, None)
    if isinstance(answered, Estimate):
        estimate_details.show(asked, answered, text)


def _show_model(text: Text) -> None:
    url = session.settings().serving_url
    try:
        model = session.served_model(url)
    except ApiError as error:
        show_api_error(error, text)
        session.retry_button("estimate.retry")
    else:
        st.caption(text("estimate.model", version=model.version, age=text.age(model.loaded_at)))


def _places(text: Text) -> Places | None:
    try:
        places = session.places(session.settings().database_url)
    except DATABASE_ERRORS:
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
            text("estimate.submit"), key="estimate.submit", type=session.main_button(), width="stretch", icon=":material/sell:"
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

    def chosen(name: str, options: list[str]) -> dict[str, Any]:
        linked = st.query_params.get(name)
        return {"options": options, "index": options.index(linked) if linked in options else None,
                "placeholder": text("estimate.any")}  # fmt: skip

    state = columns[0].selectbox(text("estimate.state"), key="estimate.state", **chosen("state", places.states()))
    # The keys hold what the choices depend on, so that no city of another state stays chosen.
    city = columns[1].selectbox(
        text("estimate.city"),
        key=f"estimate.city.{state}",
        disabled=state is None,
        **chosen("city", places.cities(state)),
    )
    zip_code = columns[2].selectbox(
        text("estimate.zip_code"),
        key=f"estimate.zip_code.{state}.{city}",
        disabled=state is None,
        **chosen("zip_code", places.zip_codes(state, city)),
    )
    return {"state": state, "city": city, "zip_code": zip_code}


def linked_number(name: str, low: float, high: float, standard: float) -> float:
    """The number that the address gives for a field, as far as it is one within the range; else ``standard``."""
    try:
        value = type(standard)(st.query_params.get(name, standard))
    except ValueError:
        return standard
    return value if low <= value <= high else standard


def _begin_with(key: str, value: Any) -> None:
    """What a field holds at first. Not as its default, to which it would return when a person empties it."""
    if key not in st.session_state:
        st.session_state[key] = value


def _what(text: Text) -> dict[str, Any]:
    left, right = st.columns(2)

    def number(place: Any, name: str, *limits: float) -> Any:
        low, high, standard, step = limits
        _begin_with(f"estimate.{name}", linked_number(name, low, high, standard))
        label = text(f"estimate.{name}")
        return place.number_input(label, low, high, None, step, key=f"estimate.{name}", placeholder=text("estimate.any"))

    linked = st.query_params.get("status", "")
    _begin_with("estimate.status", linked if linked in _STATUSES else _STATUSES[0])
    status = left.selectbox(
        text("estimate.status"),
        _STATUSES,
        index=None,
        key="estimate.status",
        format_func=lambda value: text(f"estimate.status_{value}"),
        placeholder=text("estimate.any"),
    )
    size = number(right, "house_size", 100, 50_000, 1800, 50)
    bed = number(left, "bed", 0, 50, 3, 1)
    bath = number(right, "bath", 0, 50, 2, 1)
    lot = number(left, "acre_lot", 0.0, 10_000.0, 0.2, 0.05)
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
    answer: Estimate | ApiError
    try:
        with st.spinner(text("estimate.loading")):
            answer = session.api(session.settings().serving_url).predict(home)
    except ApiError as error:
        answer = error
    st.session_state[_ANSWER] = (home, answer)


def _show_answer(text: Text) -> None:
    _, answer = st.session_state.get(_ANSWER) or (None, None)
    if isinstance(answer, Estimate):
        _show_estimate(answer, text)
    elif isinstance(answer, ApiError):
        show_api_error(answer, text)
    else:
        st.caption(text("estimate.nothing_yet"))


def _show_estimate(estimate: Estimate, text: Text) -> None:
    low, high = text.money(estimate.low), text.money(estimate.high)
    st.metric(text("estimate.price"), text.money(estimate.price))
    st.metric(text("estimate.interval"), f"{low} – {high}", help=text("estimate.interval_help"))
    alt = text("estimate.interval_alt", low=low, high=high, price=text.money(estimate.price))
    chart(charts.interval_chart(estimate, text), "estimate.interval", alt)
    if estimate.warnings:
        lines = "\n".join(f"- {warning_text(warning, text)}" for warning in estimate.warnings)
        st.warning(plain(f"**{text('estimate.warnings')}**\n\n{lines}"), icon=":material/info:")
    st.caption(text("estimate.computed", name=estimate.model_name, version=estimate.model_version))
    st.caption(text("estimate.request", request_id=estimate.request_id))


def warning_text(warning: Any, text: Text) -> str:
    """A warning of the API in the person's language; the API's own words for a kind that is not known here."""
    field = field_name(warning["field"], text)
    return text.or_none(f"warning.{warning['kind']}", field=field) or str(warning["message"])
