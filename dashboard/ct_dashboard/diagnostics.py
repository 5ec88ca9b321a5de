"""How champion and challenger err on the same hold-out rows, from the bins that the evaluate step keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct_store.connection import connect

from ct_dashboard.data import Decision

Z95 = 1.959964


@dataclass(frozen=True)
class Shapes:
    """The bins of one model; see `ct_evaluate.diagnostics` for what they hold."""

    version: str
    rows: int
    errors: Mapping[str, Any]
    prices: Mapping[str, Any]
    intervals: Mapping[str, Any]


@dataclass(frozen=True)
class Coverage:
    """One tenth of the answers: from ``low`` to ``high`` dollars, with the share of prices inside the 90 % range."""

    low: float
    high: float
    rows: int
    share: float
    share_low: float
    share_high: float
    width: float | None


@dataclass(frozen=True)
class Change:
    """A relative change of an error against the champion with its 95 % interval; below zero is better."""

    dimension: str
    value: str
    change: float
    low: float
    high: float
    limit: float | None = None
    rows: int | None = None

    @property
    def side(self) -> str:
        """``better`` or ``worse`` where the interval leaves no doubt, else ``open``."""
        return "better" if self.high < 0 else "worse" if self.low > 0 else "open"


def read_shapes(url: str, decision_id: str) -> dict[str, Shapes]:
    """The bins of a promotion decision by role, the champion's first; none of older pipelines. Raises TryLaterError."""
    with connect("ct_dashboard", url) as connection:
        lines = connection.execute(
            "SELECT role, kind, model_version, row_count, content FROM audit.diagnostics WHERE decision_id = %s "
            "ORDER BY role = 'champion' DESC",
            (decision_id,),
        ).fetchall()
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        role = found.setdefault(line["role"], {"version": line["model_version"], "rows": line["row_count"]})
        role[line["kind"]] = line["content"]
    complete = {"errors", "prices", "intervals"}
    return {role: Shapes(**content) for role, content in found.items() if complete <= content.keys()}


def error_curve(shapes: Shapes) -> tuple[list[float], list[float]]:
    """By how much an answer may be off (0.2: a fifth too high, or as far too low), and the share of homes within that.

    The edges of the bins are symmetric around zero, so that |ln(answer / price)| < edge is a sum of whole bins.
    """
    edges, counts = shapes.errors["edges"], shapes.errors["counts"]
    middle = len(edges) // 2
    total = max(sum(counts), 1)
    within = [sum(counts[middle - step + 1 : middle + step + 1]) / total for step in range(middle + 1)]
    return [math.expm1(edges[middle + step]) for step in range(middle + 1)], within


def median_error(shapes: Shapes) -> float | None:
    """Half of the homes are priced within this; linear between the edges, None if it lies beyond the last edge."""
    off, within = error_curve(shapes)
    for number, share in enumerate(within):
        if share >= 0.5:
            before = within[number - 1] if number else 0.0
            start = off[number - 1] if number else 0.0
            return start + (off[number] - start) * ((0.5 - before) / (share - before) if share > before else 0.0)
    return None


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, Probable inference, 1927); (0, 1) without rows."""
    if not rows:
        return 0.0, 1.0
    share, z2 = hits / rows, Z95**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = Z95 / (1 + z2 / rows) * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def coverages(shapes: Shapes) -> list[Coverage]:
    """Coverage in the tenths of the answers, cheapest first."""
    found = []
    for part in shapes.intervals["tenths"]:
        inside = part["rows"] - part["below"] - part["above"]
        low, high = wilson(inside, part["rows"])
        found.append(Coverage(part["low"], part["high"], part["rows"], inside / part["rows"], low, high, part.get("width")))
    return found


SIDE = ("new_batch", "rest")
"""Gates that decide nothing, except together in place of superiority, where a policy lets a gain on the new batch be enough."""

OVERALL = ("superiority", "rmse", "relative_error", "new_batch", "rest")
"""Gates that are a relative change with an interval, in the order of the plot."""

MOST_SLICES = 12
"""Slices of one dimension that a plot shows: those with most rows. All are in the table."""


def decisive(promotion: Decision) -> list[Mapping[str, Any]]:
    """The gates that this decision was made by and that apply, without those of SIDE where they did not count."""
    by_area = bool((promotion.get("facts") or {}).get("area"))
    return [gate for gate in promotion["gates"] if gate["verdict"] != "n/a" and (by_area or gate["name"] not in SIDE)]


def aside(promotion: Decision) -> list[Mapping[str, Any]]:
    """The gates of SIDE that were judged and did not count in this decision."""
    counted = decisive(promotion)
    return [gate for gate in promotion["gates"] if gate["verdict"] != "n/a" and gate not in counted]


def gravest_first(promotion: Decision) -> list[Mapping[str, Any]]:
    """Failed gates first, then those that ask for a person, those that passed, and those that decided nothing."""
    order, uncounted = {"fail": 0, "hold": 1, "pass": 2}, aside(promotion)
    return sorted(promotion["gates"], key=lambda gate: 3 if gate in uncounted else order.get(gate["verdict"], 4))


def overall_changes(promotion: Decision) -> list[Change]:
    """The gates that compare with the champion on all rows."""
    gates = {gate["name"]: gate for gate in promotion["gates"]}
    return [
        Change("overall", name, gate["value"], gate["ci_low"], gate["ci_high"], gate["threshold"])
        for name in OVERALL
        if (gate := gates.get(name)) and None not in (gate["value"], gate["ci_low"], gate["ci_high"])
    ]


def slice_changes(promotion: Decision) -> list[Change]:
    """The change of the MAE in every slice that was looked at, with its own 95 % interval."""
    gate = next((gate for gate in promotion["gates"] if gate["name"] == "slices"), None)
    found: Sequence[Mapping[str, Any]] = (gate["note"] or {}).get("slices", ()) if gate else ()
    return [
        Change(
            part["dimension"],
            str(part["value"]),
            part["change"],
            part["change"] - Z95 * part["standard_error"],
            part["change"] + Z95 * part["standard_error"],
            gate["threshold"] if gate else None,
            part["rows"],
        )
        for part in found
    ]


def largest(changes: Sequence[Change], most: int = MOST_SLICES) -> list[Change]:
    """Of each dimension the slices with most rows, in their own order."""
    kept: list[Change] = []
    for dimension in dict.fromkeys(change.dimension for change in changes):
        own = [change for change in changes if change.dimension == dimension]
        enough = sorted(own, key=lambda change: -(change.rows or 0))[:most]
        kept += [change for change in own if change in enough]
    return kept
