"""The signals of the retrain decision, all measured on every batch, whichever of them decides.

New rows are homes of the batches that the champion has not seen, without those that it knows from an earlier listing.
The reference is the champion's hold-out: homes of its own batches that it was not trained on, scored at the same moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ct_contract import BadDataError
from ct_decisions.bootstrap import Clusters, mean, median, ratio_of_means
from ct_decisions.evidence import Signal
from ct_decisions.policy import Policy
from ct_decisions.registry import Registry, Version
from ct_decisions.retrain import judge_estimate, judge_share, not_judged
from ct_store.connection import Connection
from house_prices.frames import read_listings
from house_prices.scoring import Scored, areas, score

Labels = npt.NDArray[np.object_]

SUPPORT = (0.001, 0.999)
"""Quantiles of the training prices between which trees have seen prices."""


def measure(connection: Connection, registry: Registry, champion: Version, batch_id: int, policy: Policy) -> list[Signal]:
    """Every signal with its verdict. Raises BadDataError if the champion says not which batches it was trained on."""
    if not champion.batch_ids:
        raise BadDataError(
            "LINEAGE_UNKNOWN",
            f"version {champion.number} in production has no tag ct.batch_ids, so its hold-out is not known. "
            "Nothing was decided: force a training with author and reason, or move the alias to a version of the pipeline.",
        )
    unseen = _unseen_batches(connection, champion, batch_id)
    new = read_listings(connection, batch_ids=unseen)
    new = new[~new["relisted"]].reset_index(drop=True)
    reference = read_listings(connection, splits=["test"], batch_ids=champion.batch_ids)
    model = registry.load(champion)
    scored_new = score(model, new)
    signals = _errors(policy, scored_new, areas(new), score(model, reference), areas(reference))
    signals.append(judge_share(policy.retrain, "unsound_answers", scored_new.unsound / max(len(new), 1)))
    limits = policy.retrain
    low, high = _support(connection, champion)
    outside = float(np.mean((scored_new.price < low) | (scored_new.price > high)))
    signals.append(judge_share(limits, "outside_support", outside, {"low": low, "high": high}))
    for name, column in (
        ("unseen_status", "coalesce(status, '')"),
        ("unseen_state", "state"),
        ("unseen_zip3", "left(zip_code, 3)"),
    ):
        share, values = _unseen_share(connection, column, champion.batch_ids, unseen)
        signals.append(judge_share(limits, name, share, {"values": values}))
    known = connection.execute(
        "SELECT coalesce(sum(rows_accepted), 0) AS rows FROM clean.batches WHERE batch_id = ANY(%s)", (champion.batch_ids,)
    ).fetchone()
    rows = float(known["rows"]) if known else 0.0
    signals.append(judge_share(limits, "volume", len(new) / max(rows, 1.0), {"rows": len(new), "champion_rows": rows}))
    return signals


def _unseen_batches(connection: Connection, champion: Version, batch_id: int) -> list[int]:
    """The batches up to this one that the champion was not trained on."""
    rows = connection.execute(
        "SELECT batch_id FROM clean.batches WHERE batch_id <= %s AND batch_id <> ALL(%s) ORDER BY 1",
        (batch_id, champion.batch_ids),
    )
    return [int(row["batch_id"]) for row in rows]


def _errors(policy: Policy, new: Scored, new_areas: Labels, known: Scored, known_areas: Labels) -> list[Signal]:
    """Error ratio, bias and coverage, on the rows for which the champion gives a sound price."""
    limits, bootstrap = policy.retrain, policy.bootstrap
    new_areas, known_areas = new_areas[new.sound], known_areas[known.sound]
    new, known = new.take(new.sound), known.take(known.sound)
    note = {"rows": len(new.price), "reference_rows": len(known.price)}
    if not len(new.price):
        return [not_judged(limits, name, note) for name in ("error_ratio", "log_bias", "interval_coverage")]
    clusters = Clusters(new_areas)
    signals = [not_judged(limits, "error_ratio", note)]
    if len(known.price):
        error, reference = np.abs(new.log_error), np.abs(known.log_error)
        ratio = ratio_of_means(error, clusters, reference, Clusters(known_areas), bootstrap)
        signals = [judge_estimate(limits, "error_ratio", ratio, note)]
    signals.append(judge_estimate(limits, "log_bias", median(new.log_error, clusters, bootstrap), note))
    signals.append(judge_estimate(limits, "interval_coverage", mean(new.inside, clusters, bootstrap), note))
    return signals


def _support(connection: Connection, champion: Version) -> tuple[float, float]:
    row = connection.execute(
        "SELECT percentile_cont(%s::float8[]) WITHIN GROUP (ORDER BY price) AS prices FROM clean.listings "
        "WHERE split = 'train' AND batch_id = ANY(%s)",
        (list(SUPPORT), champion.batch_ids),
    ).fetchone()
    if row is None or row["prices"] is None:
        raise BadDataError(
            "LINEAGE_UNKNOWN", f"CLEAN holds no training rows of version {champion.number}. Nothing was decided."
        )
    low, high = row["prices"]
    return float(low), float(high)


def _unseen_share(connection: Connection, column: str, known: list[int], new: list[int]) -> tuple[float, list[Any]]:
    """Share of the new rows whose value no batch of the champion has, and the most frequent of those values."""
    rows = connection.execute(
        f"""
        WITH seen AS (SELECT DISTINCT {column} AS value FROM clean.listings WHERE batch_id = ANY(%(known)s)),
             counted AS (SELECT {column} AS value, count(*) AS rows FROM clean.listings
                          WHERE batch_id = ANY(%(new)s) AND NOT relisted GROUP BY 1)
        SELECT counted.value, rows, sum(rows) OVER () AS all_rows, seen.value IS NULL AS unseen
          FROM counted LEFT JOIN seen ON seen.value = counted.value ORDER BY rows DESC, counted.value
        """.encode(),
        {"known": known, "new": new},
    ).fetchall()
    unseen = [row for row in rows if row["unseen"]]
    total = float(rows[0]["all_rows"]) if rows else 1.0
    return sum(row["rows"] for row in unseen) / total, [row["value"] for row in unseen[:10]]
