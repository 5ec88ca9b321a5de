"""The signals of the retrain decision, all measured on every batch, whichever of them decides.

New rows are homes of the batches that the champion has not seen, without those that it knows from an earlier listing.
The reference of its errors is its hold-out: homes of its own batches that it was not trained on, scored at the same
moment. The reference of the columns are all rows of its batches.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from ct_contract import BadDataError
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge_value
from ct_decisions.policy import Policy
from ct_decisions.registry import Registry, Version
from ct_store.connection import Connection
from house_prices.frames import read_listings
from house_prices.monitored import UNSEEN

from ct_assess.classifier import domain_signal
from ct_assess.drift import drift_signals
from ct_assess.errors import Answers, answer, error_signals, joined, novelty_signals
from ct_assess.reliance import read_reliance
from ct_assess.schema import schema_signals

log = logging.getLogger(__name__)

SUPPORT = (0.001, 0.999)
"""Quantiles of the training prices between which trees have seen prices."""


def measure(connection: Connection, registry: Registry, champion: Version, batch_id: int, policy: Policy) -> list[Signal]:
    """Every signal with its verdict: the champion's errors first, then its columns in the order of its reliance on them.

    Raises BadDataError if the champion says not which batches it was trained on, TryLaterError if MLflow is away.
    """
    if not champion.batch_ids:
        raise BadDataError(
            "LINEAGE_UNKNOWN",
            f"version {champion.number} in production has no tag ct.batch_ids, so its hold-out is not known. "
            "Nothing was decided: force a training with author and reason, or move the alias to a version of the pipeline.",
        )
    known, unseen = champion.batch_ids, _unseen_batches(connection, champion, batch_id)
    limits = policy.retrain
    clock = _Clock()
    model = registry.load(champion)
    new = joined(_score_new(connection, model, unseen))
    reference = joined([answer(model, read_listings(connection, splits=["test"], batch_ids=known))])
    clock.lap(f"scoring {len(new.price):,} new and {len(reference.price):,} known homes")
    signals = error_signals(policy, new, reference)
    seen = {name: _seen(connection, column, known) for name, column in UNSEEN.items()}
    signals += novelty_signals(policy, new, _support(connection, champion), seen)
    rows = _accepted_rows(connection, known)
    volume = len(new.price) / max(rows, 1)
    signals.append(judge_value(limits, "volume", volume, {"rows": len(new.price), "champion_rows": rows}))
    clock.lap("errors and novelties")
    signals.append(domain_signal(connection, policy, known, unseen))
    clock.lap("the classifier")
    signals += drift_signals(connection, limits, known, unseen, read_reliance(registry, champion))
    signals += schema_signals(connection, limits, known, unseen)
    clock.lap("the columns")
    return signals


class _Clock:
    """Says in the log how long each part took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def lap(self, what: str) -> None:
        now = time.perf_counter()
        log.info("%s: %.1f s", what, now - self._began)
        self._began = now


def _unseen_batches(connection: Connection, champion: Version, batch_id: int) -> list[int]:
    """The batches up to this one that the champion was not trained on."""
    rows = connection.execute(
        "SELECT batch_id FROM clean.batches WHERE batch_id <= %s AND batch_id <> ALL(%s) ORDER BY 1",
        (batch_id, champion.batch_ids),
    )
    return [int(row["batch_id"]) for row in rows]


def _score_new(connection: Connection, model: object, batches: list[int]) -> Iterator[Answers]:
    for batch in batches:
        frame = read_listings(connection, batch_ids=[batch])
        yield answer(model, frame[~frame["relisted"]].reset_index(drop=True))


def _accepted_rows(connection: Connection, batches: list[int]) -> int:
    row = connection.execute(
        "SELECT coalesce(sum(rows_accepted), 0)::bigint AS rows FROM clean.batches WHERE batch_id = ANY(%s)", (batches,)
    ).fetchone()
    return int(row["rows"]) if row else 0


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


def _seen(connection: Connection, column: str, batches: list[int]) -> set[str]:
    """The values of a column in these batches."""
    rows = connection.execute(
        f"SELECT DISTINCT {column} AS value FROM clean.listings WHERE batch_id = ANY(%s)".encode(), (batches,)
    )
    return {str(row["value"]) for row in rows}
