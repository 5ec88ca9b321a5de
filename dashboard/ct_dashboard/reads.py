"""Reads of the pages that are kept for a while. All raise TryLaterError while PostgreSQL is away, which is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from ct_dashboard import diagnostics, lineage, listings, operations, prometheus, prometheus_traffic, quality


@st.cache_data(ttl=300, show_spinner=False, max_entries=500)
def comparables(url: str, home: dict[str, Any]) -> list[dict[str, Any]]:
    """Listings that are most like a home."""
    return listings.read_comparables(url, home)


@st.cache_data(ttl=600, show_spinner=False, max_entries=50)
def price_bins(url: str, batch_ids: Sequence[int], splits: Sequence[str] = ()) -> list[listings.PriceBins]:
    """Prices by batch."""
    return listings.read_price_bins(url, batch_ids, splits=splits)


@st.cache_data(ttl=600, show_spinner=False, max_entries=100)
def shapes(url: str, decision_id: str) -> dict[str, diagnostics.Shapes]:
    """How champion and challenger of a decision err, by role."""
    return diagnostics.read_shapes(url, decision_id)


@st.cache_data(ttl=30, show_spinner=False, max_entries=20)
def validations(url: str, batch_id: int | None) -> list[dict[str, Any]]:
    """The newest validated batches, and the one of that id."""
    return quality.read_validations(url, batch_id)


@st.cache_data(ttl=600, show_spinner=False, max_entries=50)
def quarantine(url: str, batch_id: int) -> quality.Quarantine:
    """What was put aside of a batch."""
    return quality.read_quarantine(url, batch_id)


@st.cache_data(ttl=10, show_spinner=False, max_entries=20)
def traffic(url: str, hours: int) -> operations.Traffic:
    """Requests of the last hours from RAW."""
    return operations.read_traffic(url, hours)


@st.cache_data(ttl=10, show_spinner=False, max_entries=20)
def measured_traffic(url: str, hours: int, now: datetime) -> operations.Traffic | prometheus.PrometheusError:
    """Requests of the last hours from Prometheus, or why there are none: one that is silent costs a page its wait once."""
    try:
        return prometheus_traffic.read_traffic(prometheus.Prometheus(url), hours, now)
    except prometheus.PrometheusError as error:
        return error


@st.cache_data(ttl=60, show_spinner=False)
def answered(url: str) -> operations.Answered:
    """The newest answers and the real prices that people gave."""
    return operations.read_answered(url)


@st.cache_data(ttl=60, show_spinner=False, max_entries=50)
def line_of(url: str, model_name: str, version: str) -> lineage.Line | None:
    """Where a version comes from."""
    return lineage.read_line(url, model_name, version)
