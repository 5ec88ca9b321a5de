"""The reads of the pages about versions, kept for a while."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ct_dashboard import insights


@st.cache_data(ttl=15, show_spinner=False)
def measured(url: str, model_name: str) -> insights.Measured:
    """Sets and versions. Raises TryLaterError, which is not kept."""
    return insights.read_measured(url, model_name)


@st.cache_data(ttl=15, show_spinner=False, max_entries=20)
def scores(url: str, model_name: str, digest: str) -> list[insights.Score]:
    """The scores on a set. Raises TryLaterError, which is not kept."""
    return insights.read_scores(url, model_name, digest)


@st.cache_data(ttl=600, show_spinner=False, max_entries=20)
def explanations(
    url: str, model_name: str, digest: str, versions: Sequence[str]
) -> tuple[Sequence[insights.Home], dict[str, insights.Explanation]]:
    """Homes and explanations, which never change. Raises TryLaterError, which is not kept."""
    return insights.read_explanations(url, model_name, digest, versions)
