"""What the pages show alike: what went wrong, and charts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import plotly.graph_objects as go
import streamlit as st
from ct_contract import ContractError, StepError

from ct_dashboard import session
from ct_dashboard.api import (
    ApiDownError,
    ApiError,
    ApiFailedError,
    KeyRefusedError,
    LaterError,
    NoModelError,
    RefusedError,
    UnsupportedError,
)
from ct_dashboard.text import Text

Found = TypeVar("Found")

DATABASE_ERRORS = (StepError, ContractError)
"""What reading raises while PostgreSQL is away."""


def read(reader: Callable[[], Found], page: str, text: Text) -> Found | None:
    """What ``reader`` reads; while the database is away None, after saying so with a button to try again."""
    try:
        with st.spinner(text("error.loading")):
            return reader()
    except DATABASE_ERRORS:
        st.error(text("error.database_down"), icon=":material/database_off:")
        session.retry_button(f"{page}.retry")
        return None


def nothing(message: str, page: str) -> None:
    """Say why there is nothing to see yet, with a button to look again."""
    st.info(message, icon=":material/inbox:")
    session.retry_button(f"{page}.retry")


def chart(figure: go.Figure, key: str, alt: str) -> None:
    """Show a figure as wide as its place, with its alternative text; numbers that plotly writes follow the language."""
    figure.update_layout(separators=session.text().separators)
    st.plotly_chart(figure, key=key, width="stretch", config={"displayModeBar": False}, alt=alt)


def remember(parameter: str, value: str, default: str) -> None:
    """Put a choice into the address, unless the page shows it anyway; an address that names a choice goes on naming it."""
    named = st.query_params.get(parameter)
    if value != named and (named is not None or value != default):
        st.query_params[parameter] = value


def plain(words: str) -> str:
    """Text in which dollar signs are no formulas."""
    return words.replace("$", r"\$")


def show_api_error(error: ApiError, text: Text) -> None:
    """Say what the API did not do, and what to do."""
    if isinstance(error, NoModelError):
        st.info(text("error.no_model"), icon=":material/hourglass_empty:")
    elif isinstance(error, RefusedError):
        lines = [problem_text(problem, text) for problem in error.problems]
        st.error(plain("\n\n".join([text("error.refused"), *lines])), icon=":material/block:")
    elif isinstance(error, KeyRefusedError):
        st.error(text("error.key_refused"), icon=":material/key_off:")
    elif isinstance(error, ApiFailedError):
        st.error(text("error.failed", status=error.status, request_id=error.request_id), icon=":material/error:")
    elif isinstance(error, LaterError):
        st.warning(text("error.later"), icon=":material/hourglass_empty:")
    elif isinstance(error, UnsupportedError):
        st.info(text("error.unsupported"), icon=":material/extension_off:")
    elif isinstance(error, ApiDownError):
        st.error(text("error.api_down", url=session.settings().serving_url), icon=":material/cloud_off:")


def field_name(field: str, text: Text) -> str:
    """The name of one of the API's fields in the person's language, or as it is."""
    return text.or_none(f"estimate.{field}") or text.or_none(f"field.{field}") or field


def problem_text(problem: dict[str, object], text: Text) -> str:
    """One of the API's problems as a line."""
    return text(
        "error.refused_field",
        field=field_name(str(problem["field"]), text),
        message=problem["message"],
        allowed=problem.get("allowed") or "–",
    )
