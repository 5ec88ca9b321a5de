"""What versions rely on and which prices moved, in sentences and tables of words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from ct_dashboard.effects import column_name, factor_text, home_name, part_name
from ct_dashboard.explaining import Mover, Reliance
from ct_dashboard.text import Text

NAMED_PARTS = 3
"""Columns that the table names for each home."""


def reliance_sentence(lines: Sequence[Reliance], before: str, after: str, text: Text) -> str:
    """What the newer version relies on that the older one did not, in words."""
    outside = sorted((line for line in lines if line.outside), key=lambda line: -abs(line.after - line.before))
    if not outside:
        return text("explain.nothing_outside", new=after, old=before)
    parts = []
    for line in outside:
        values = {
            "column": column_name(line.column, text),
            "before": text.share(line.before, 1),
            "after": text.share(line.after, 1),
        }
        parts.append(text("explain.more", **values) if line.after > line.before else text("explain.less", **values))
    return text("explain.outside", new=after, old=before, parts="; ".join(parts))


def parts_text(mover: Mover, text: Text, most: int = NAMED_PARTS) -> str:
    """The columns that moved a price most, with the percentage of each."""
    return ", ".join(f"{part_name(name, text)} {factor_text(value, text)}" for name, value in mover.parts[:most])


def movers_table(found: Sequence[Mover], before: str, after: str, text: Text) -> pd.DataFrame:
    """One row for each home, the one that moved most first."""
    return pd.DataFrame(
        [
            {
                text("explain.change"): text.percent(mover.change, 0),
                text("explain.home_column"): home_name(mover.home, text),
                text("explain.moved_by"): parts_text(mover, text),
                text("explain.price_of", version=before): text.money(math.exp(mover.before)),
                text("explain.price_of", version=after): text.money(math.exp(mover.after)),
                text("explain.real_price"): text.money(mover.home.get("price")),
            }
            for mover in found
        ]
    )
