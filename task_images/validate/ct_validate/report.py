"""The report of one validation: one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

_PAGE = Path(__file__).with_name("report.html.jinja")


def render_report(
    batch: Mapping[str, Any],
    *,
    accepted: bool,
    suite: str,
    version: str,
    expectations: Sequence[Mapping[str, Any]],
    changes: Sequence[Mapping[str, Any]],
    categories: Mapping[str, Any],
) -> str:
    """The page. ``batch`` is a row of raw.batches."""
    template = Environment(autoescape=True).from_string(_PAGE.read_text(encoding="utf-8"))
    return template.render(
        batch=batch,
        accepted=accepted,
        suite=suite,
        version=version,
        expectations=expectations,
        changes=changes,
        categories=categories,
    )
