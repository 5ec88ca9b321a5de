"""How champion and challenger err on the same hold-out rows, in bins: charts need no more, and rows are not kept twice.

``errors``: counts of the log error ln(answer / price) in bins of ERROR_EDGES; the first and the last count are those beyond
the edges.
``prices``: counts by price and answer, as lines ``[price bin, answer bin, count]`` of the bins of PRICE_EDGES (dollars);
what lies beyond the edges is counted in the nearest bin.
``intervals``: for each tenth of the rows by answer, cheapest first: ``low`` and ``high`` answer (dollars), ``rows``, how
many prices lie ``below`` and ``above`` the 90 % interval, and the median ratio (``width``) of its ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from ct_store.connection import Connection
from house_prices.scoring import Scored
from psycopg.types.json import Jsonb

ERROR_EDGES = np.round(np.linspace(-1.5, 1.5, 121), 6)
PRICE_EDGES = np.round(10 ** np.linspace(4, 7, 37), 2)
TENTHS = 10


def diagnose(scored: Mapping[str, tuple[str, Scored]], rows: npt.NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Lines of audit.diagnostics, without the decision, for each role's version and answers on the rows of a mask (n,)."""
    lines = []
    for role, (version, answers) in scored.items():
        chosen = answers.take(rows)
        if not len(chosen.price):
            continue
        for kind, content in (("errors", _errors(chosen)), ("prices", _prices(chosen)), ("intervals", _intervals(chosen))):
            lines.append(
                {"model_version": version, "role": role, "kind": kind, "row_count": len(chosen.price), "content": content}
            )
    return lines


def record_diagnostics(connection: Connection, decision_id: UUID, lines: list[dict[str, Any]]) -> None:
    """Add the lines to their decision; those that are already there are left as they are."""
    for line in lines:
        connection.execute(
            """
            INSERT INTO audit.diagnostics (decision_id, model_version, role, kind, row_count, content)
            VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            (decision_id, line["model_version"], line["role"], line["kind"], line["row_count"], Jsonb(line["content"])),
        )


def _errors(scored: Scored) -> dict[str, Any]:
    index = np.searchsorted(ERROR_EDGES, scored.log_error, side="right")
    counts = np.bincount(index, minlength=len(ERROR_EDGES) + 1)
    return {"edges": ERROR_EDGES.tolist(), "counts": counts.tolist()}


def _prices(scored: Scored) -> dict[str, Any]:
    bins = len(PRICE_EDGES) - 1

    def binned(values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        return np.clip(np.searchsorted(PRICE_EDGES, values, side="right") - 1, 0, bins - 1)

    answers = scored.answers["price"].to_numpy(dtype=np.float64)
    counts = np.bincount(binned(scored.price) * bins + binned(answers), minlength=bins * bins)
    used = np.flatnonzero(counts)
    cells = [[int(cell // bins), int(cell % bins), int(counts[cell])] for cell in used]
    return {"edges": PRICE_EDGES.tolist(), "cells": cells}


def _intervals(scored: Scored) -> dict[str, Any]:
    answer, low, high = (scored.answers[name].to_numpy(dtype=np.float64) for name in ("price", "price_low", "price_high"))
    with np.errstate(divide="ignore"):
        width = np.where(low > 0, high / np.where(low > 0, low, 1.0), np.inf)
    parts = []
    for rows in np.array_split(np.argsort(answer, kind="stable"), TENTHS):
        if not len(rows):
            continue
        median = float(np.median(width[rows]))
        parts.append(
            {
                "low": float(answer[rows].min()),
                "high": float(answer[rows].max()),
                "rows": len(rows),
                "below": int(np.count_nonzero(scored.price[rows] < low[rows])),
                "above": int(np.count_nonzero(scored.price[rows] > high[rows])),
                "width": median if np.isfinite(median) else None,
            }
        )
    return {"tenths": parts}
