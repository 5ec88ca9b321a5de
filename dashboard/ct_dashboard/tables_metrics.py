"""Metrics over versions as tables of words, and how kinds of homes are named and ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ct_dashboard.charts_metrics import METRICS, role, value_text
from ct_dashboard.insights import Estimate, Score, Standing
from ct_dashboard.text import Text


def slice_key(score: Score) -> str:
    """What a slice is called in addresses."""
    return f"{score.dimension}:{score.slice}"


def slice_sizes(scores: Sequence[Score]) -> dict[str, int]:
    """The number of homes in each slice: all homes first, sizes in their order, states and statuses with most homes first."""
    sizes: dict[str, int] = {}
    for score in scores:
        sizes[slice_key(score)] = max(sizes.get(slice_key(score), 0), score.rows)

    def order(key: str) -> tuple[str, float, str]:
        dimension, _, value = key.partition(":")
        place = float(value.partition(":")[0] or 0) if dimension == "house_size" else -float(sizes[key])
        return dimension, place, value

    return {key: sizes[key] for key in sorted(sizes, key=order)}


def slice_name(key: str, text: Text) -> str:
    """A slice as people call it."""
    dimension, _, value = key.partition(":")
    if dimension == "all":
        return text("metrics.all")
    if dimension == "house_size":
        low, _, high = value.partition(":")
        ends = {"low": text.number(float(low or 0)), "high": text.number(float(high or 0))}
        kind = "under" if not low else "over" if not high else "between"
        return text(f"slice.size_{kind}", **ends)
    name = text.or_none(f"explain.status_{value}") or value if dimension == "status" else value
    return f"{text.or_none(f'slice.{dimension}') or dimension}: {name}"


def _with_interval(metric: str, estimate: Estimate | None, text: Text) -> str:
    value, low, high = estimate or (None, None, None)
    words = value_text(metric, value, text)
    if low is None or high is None:
        return words
    return f"{words} ({value_text(metric, low, text)} – {value_text(metric, high, text)})"


def metrics_table(scores: Sequence[Score], standing: Standing, text: Text) -> pd.DataFrame:
    """One row for each version, newest first, with every metric and its interval; a dash for a metric that it has not."""
    return pd.DataFrame(
        [
            {
                text("metrics.version"): score.version,
                text("metrics.role"): text(f"role.{role(score.version, standing)}"),
                **{text(f"metric.{metric}"): _with_interval(metric, score.metrics.get(metric), text) for metric in METRICS},
                text("metrics.homes"): text.number(score.rows),
            }
            for score in reversed(scores)
        ]
    )


def slices_table(scores: Sequence[Score], metric: str, text: Text) -> pd.DataFrame:
    """One row for each slice, one column for each version, newest first: the metric's value."""
    measured = [score for score in scores if metric in score.metrics]
    versions = list(dict.fromkeys(score.version for score in reversed(measured)))
    values: Mapping[tuple[str, str], str] = {
        (slice_key(score), score.version): value_text(metric, score.metrics[metric][0], text) for score in measured
    }
    return pd.DataFrame(
        [
            {
                text("metrics.slice"): slice_name(key, text),
                text("metrics.homes"): text.number(homes),
                **{text("metrics.version_short", version=version): values.get((key, version), "–") for version in versions},
            }
            for key, homes in slice_sizes(measured).items()
        ]
    )
