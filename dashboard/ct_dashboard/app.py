"""The entry point: ``streamlit run dashboard/ct_dashboard/app.py`` or ``python -m ct_dashboard``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.navigation.page import Page

from ct_dashboard import session
from ct_dashboard.text import LANGUAGES, Text
from ct_dashboard.views import batch, comparison, data_changes, estimate, explainability, history, metrics, operations, quality

# No text in quotation marks describes what follows: it would be shown on every page, for Streamlit runs this very file.

# Of our own: the icons that Streamlit names for a browser's tab come from servers of others.
ICON = str(Path(__file__).with_name("icon.png"))

# Less empty space above a page than Streamlit leaves, the choice of the language beside the page's title, and figures that go
# to a second line instead of losing their end on a phone.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-top: 4.5rem; padding-bottom: 3rem; }
[data-testid="stMetricValue"] * { white-space: normal; }
@media (min-width: 768px) { .st-key-app-language { margin-bottom: -4.5rem; position: relative; z-index: 1; } }
</style>
"""


def pages(text: Text) -> dict[str, list[Page]]:
    """The pages by group. Their paths are what deep links name, the same in every language."""

    def page(show: Callable[[], None], path: str, icon: str, *, hidden: bool = False) -> Page:
        visibility: Literal["hidden", "visible"] = "hidden" if hidden else "visible"
        return st.Page(show, title=text(f"app.{path}"), icon=f":material/{icon}:", url_path=path, visibility=visibility)

    home = st.Page(estimate.show, title=text("app.estimate"), icon=":material/sell:", default=True)

    return {
        text("app.group_prices"): [
            home,
            # Streamlit gives the first page no path of its own, and calls a link to /estimate a page that does not exist.
            page(estimate.show, "estimate", "sell", hidden=True),
            page(batch.show, "batch", "table_view"),
        ],
        text("app.group_models"): [
            page(history.show, "history", "history"),
            page(comparison.show, "comparison", "balance"),
            page(metrics.show, "metrics", "monitoring"),
            page(explainability.show, "explainability", "account_tree"),
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
    st.set_page_config(page_title=text("app.title"), page_icon=ICON, layout="wide")
    st.html(STYLE)
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
