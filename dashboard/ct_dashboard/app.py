"""The entry point: ``streamlit run dashboard/ct_dashboard/app.py`` or ``python -m ct_dashboard``."""

from __future__ import annotations

import streamlit as st

from ct_dashboard import session
from ct_dashboard.text import LANGUAGES
from ct_dashboard.views import estimate, explainability, history, metrics


def main() -> None:
    """Choose language and page, and draw the page."""
    session.choose_language()
    text = session.text()
    st.set_page_config(page_title=text("app.title"), page_icon=":material/home_work:", layout="wide")
    page = st.navigation(
        [
            st.Page(estimate.show, title=text("app.estimate"), icon=":material/sell:", url_path="estimate", default=True),
            st.Page(history.show, title=text("app.history"), icon=":material/history:", url_path="history"),
            st.Page(metrics.show, title=text("pages.metrics"), icon=":material/monitoring:", url_path="metrics"),
            st.Page(
                explainability.show,
                title=text("pages.explainability"),
                icon=":material/account_tree:",
                url_path="explainability",
            ),
        ],
        position="top",
    )
    with st.container(horizontal=True, horizontal_alignment="right", key="app.language"):
        st.segmented_control(
            text("app.language"),
            list(LANGUAGES),
            required=True,
            format_func=LANGUAGES.__getitem__,
            key=session.LANGUAGE_KEY,
            label_visibility="collapsed",
        )
    page.run()


main()
