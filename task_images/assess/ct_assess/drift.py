"""How far the new homes' columns have moved from those the champion was trained on: PSI and normalised Wasserstein.

Both are computed from the exact counts of every value on both sides, which PostgreSQL makes: no row travels, and what is
kept does not grow with the rows but with the different values. They have no interval: near zero, where it would matter, a
bootstrap of a distance is biased upwards. What chance alone gives is taken off the PSI instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge_value
from ct_decisions.policy import RetrainPolicy
from ct_store.connection import Connection
from house_prices.monitored import MONITORED, Monitored

from ct_assess.reliance import Reliance

Floats = npt.NDArray[np.float64]

HALF = 0.5
"""Added to every count of a PSI, so that an empty bin is a large effect and not an infinite one."""


@dataclass(frozen=True)
class Counts:
    """How often each of (k,) values stands in the champion's rows and in the new ones; what is not known is apart.

    ``values`` are sorted numbers, or None for a category, whose values have no order.
    """

    values: Floats | None
    reference: Floats
    new: Floats
    reference_unknown: float = 0.0
    new_unknown: float = 0.0

    @property
    def rows(self) -> tuple[float, float]:
        """Rows of both sides, unknown ones included."""
        return float(self.reference.sum()) + self.reference_unknown, float(self.new.sum()) + self.new_unknown


def drift_signals(
    connection: Connection, policy: RetrainPolicy, known: list[int], new: list[int], reliance: Reliance
) -> list[Signal]:
    """PSI of every monitored column and normalised Wasserstein of every number, by the champion's reliance on them."""
    counts = {column.name: count(connection, column, known, new) for column in MONITORED}
    return judge_drift(policy, counts, reliance)


def judge_drift(policy: RetrainPolicy, counts: dict[str, Counts], reliance: Reliance) -> list[Signal]:
    """The same from counts by column. ``note`` has rank, reliance and rows, and of a PSI what was taken off for chance."""
    signals = []
    for column in sorted(MONITORED, key=lambda column: reliance.order(column.relied_by)):
        found = counts[column.name]
        rows = found.rows
        note = {**reliance.note(column.relied_by), "reference_rows": rows[0], "rows": rows[1]}
        value, chance = psi(found, policy.psi_bins)
        signals.append(judge_value(policy, "psi", value, {**note, "chance": chance}, column.name))
        if column.kind == "number":
            signals.append(judge_value(policy, "wasserstein", wasserstein(found), note, column.name))
    return signals


def count(connection: Connection, column: Monitored, known: list[int], new: list[int]) -> Counts:
    """The counts of a column in the champion's batches and among the new homes of the others."""
    rows = connection.execute(
        f"""
        SELECT {column.value} AS value,
               count(*) FILTER (WHERE batch_id = ANY(%(known)s))::float8 AS reference,
               count(*) FILTER (WHERE batch_id = ANY(%(new)s) AND NOT relisted)::float8 AS new
          FROM clean.listings WHERE batch_id = ANY(%(known)s) OR batch_id = ANY(%(new)s)
         GROUP BY 1 ORDER BY 1 NULLS LAST
        """.encode(),
        {"known": known, "new": new},
    ).fetchall()
    return from_rows(rows, column.kind == "number")


def from_rows(rows: list[dict[str, Any]], is_number: bool) -> Counts:
    """Counts from lines of ``value``, ``reference`` and ``new``, in order of the value, the unknown one last."""
    unknown = rows.pop() if rows and rows[-1]["value"] is None else {"reference": 0.0, "new": 0.0}
    sides = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in ("reference", "new")}
    values = np.array([row["value"] for row in rows], dtype=np.float64) if is_number else None
    return Counts(values, sides["reference"], sides["new"], unknown["reference"], unknown["new"])


def psi(counts: Counts, bins: int) -> tuple[float | None, float]:
    """Population stability index less what chance gives, and that chance; None where a side has no rows.

    The sum of (q - p) log(q / p) over bins, which are quantiles of the reference (of a category its values) and one more
    for what is not known. Between two samples of one population its mean is (bins - 1) (1 / n + 1 / m) (Yurdakul and
    Naranjo, Statistical Properties of the Population Stability Index, 2020).
    """
    if not all(counts.rows):
        return None, 0.0
    reference, new = counts.reference, counts.new
    if counts.values is not None:
        index = _quantile_bins(reference, bins)
        reference, new = (np.bincount(index, weights=side).astype(np.float64) for side in (reference, new))
    reference, new = np.append(reference, counts.reference_unknown), np.append(new, counts.new_unknown)
    used = (reference + new) > 0
    reference, new = reference[used] + HALF, new[used] + HALF
    p, q = reference / reference.sum(), new / new.sum()
    chance = float(used.sum() - 1) * (1 / counts.rows[0] + 1 / counts.rows[1])
    return max(float(np.sum((q - p) * np.log(q / p))) - chance, 0.0), chance


def _quantile_bins(reference: Floats, bins: int) -> npt.NDArray[np.intp]:
    """The bin of each of (k,) sorted values: a value is never cut in two, so bins of few values are fewer."""
    total = reference.sum()
    if total == 0:
        return np.zeros(len(reference), dtype=np.intp)
    middle = (np.cumsum(reference) - reference / 2) / total
    wanted = np.minimum((middle * bins).astype(np.intp), bins - 1)
    return np.unique(wanted, return_inverse=True)[1]


def wasserstein(counts: Counts) -> float | None:
    """Area between the two distribution functions over the reference's standard deviation; None where it is not defined."""
    values, reference, new = counts.values, counts.reference, counts.new
    if values is None or not reference.sum() or not new.sum():
        return None
    p, q = reference / reference.sum(), new / new.sum()
    area = float(np.sum(np.abs(np.cumsum(p) - np.cumsum(q))[:-1] * np.diff(values)))
    mean = float(p @ values)
    deviation = float(np.sqrt(p @ (values - mean) ** 2))
    if area == 0:
        return 0.0
    return area / deviation if deviation > 0 else None
