"""The entry point: ``streamlit run dashboard/ct_dashboard/app.py`` or ``python -m ct_dashboard``."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.navigation.page import Page

from ct_dashboard import session
from ct_dashboard.text import LANGUAGES, Text
from ct_dashboard.views import batch, comparison, data_changes, estimate, history, operations, quality


def pages(text: Text) -> dict[str, list[Page]]:
    """The pages by group. Their paths are what deep links name, the same in every language."""

    def page(show: Callable[[], None], path: str, icon: str, *, default: bool = False) -> Page:
        return st.Page(show, title=text(f"app.{path}"), icon=f":material/{icon}:", url_path=path, default=default)

    return {
        text("app.group_prices"): [
            page(estimate.show, "estimate", "sell", default=True),
            page(batch.show, "batch", "table_view"),
        ],
        text("app.group_models"): [
            page(history.show, "history", "history"),
            page(comparison.show, "comparison", "balance"),
        ],
        text("app.group_data"): [
            page(data_changes.show, "data", "trending_up"),
            page(quality.show, "quality", "fact_check"),
        ],
        text("app.group_operations"): [page(operations.show, "operations", "monitor_heart")],
    }


def main() -> None:
    """Choose language and page, and draw the page."""
    session.choose_language()
    text = session.text()
    st.set_page_config(page_title=text("app.title"), page_icon=":material/home_work:", layout="wide")
    page = st.navigation(pages(text), position="top")
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
