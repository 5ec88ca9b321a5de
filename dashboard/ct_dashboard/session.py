"""What all pages share: settings, language, and reads that are kept for a while."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from ct_dashboard import data
from ct_dashboard.api import Api, ServedModel
from ct_dashboard.settings import Settings
from ct_dashboard.text import DEFAULT_LANGUAGE, LANGUAGES, Text

LANGUAGE_KEY = "lang"


def settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environment()


def choose_language() -> None:
    """At the first look take the language from the address (``?lang=es``), else from the browser, else English.

    Not Streamlit's own binding to the address: that would write the label, and the page is drawn before it is read.
    """
    if st.session_state.get(LANGUAGE_KEY) not in LANGUAGES:
        wishes = (st.query_params.get(LANGUAGE_KEY), (st.context.locale or "")[:2])
        st.session_state[LANGUAGE_KEY] = next((wish for wish in wishes if wish in LANGUAGES), DEFAULT_LANGUAGE)
    if st.query_params.get(LANGUAGE_KEY) != st.session_state[LANGUAGE_KEY]:
        st.query_params[LANGUAGE_KEY] = st.session_state[LANGUAGE_KEY]


def text() -> Text:
    """The language that the person has chosen."""
    chosen = st.session_state.get(LANGUAGE_KEY)
    return Text(chosen if isinstance(chosen, str) and chosen in LANGUAGES else DEFAULT_LANGUAGE)


@st.cache_resource
def api(url: str) -> Api:
    """One client for all sessions."""
    return Api(url, settings().serving_key)


@st.cache_data(ttl=10, show_spinner=False)
def served_model(url: str) -> ServedModel:
    """The model that answers. Raises ApiError, which is not kept."""
    return api(url).model()


@st.cache_data(ttl=600, show_spinner=False)
def places(url: str) -> data.Places:
    """The places of CLEAN. Raises TryLaterError, which is not kept."""
    return data.read_places(url)


@st.cache_data(ttl=15, show_spinner=False, max_entries=20)
def _history(url: str, model_name: str, run_id: str | None) -> data.History:
    return data.read_history(url, model_name, run_id)


def history(url: str, run_id: str | None = None) -> data.History:
    """The newest runs, and the run of that id where it is older. Raises TryLaterError, which is not kept."""
    found = _history(url, settings().model_name, None)
    if run_id is None or any(run.key == run_id for run in found.runs):
        return found
    return _history(url, settings().model_name, run_id)


@st.cache_data(ttl=600, show_spinner=False, max_entries=20)
def report(url: str, batch_id: int) -> str | None:
    """The validation report of a batch. Raises TryLaterError, which is not kept."""
    return data.read_report(url, batch_id)


def main_button() -> Literal["primary", "secondary"]:
    """The kind of a page's most important button: a filled one, but on dark, where white on the theme's blue is too pale."""
    return "secondary" if st.context.theme.type == "dark" else "primary"


def retry_button(key: str) -> None:
    """A button that forgets what was read and draws the page again."""
    if st.button(text()("error.retry"), key=key, icon=":material/refresh:"):
        st.cache_data.clear()
        st.rerun()
