"""Can the new homes be told from the known ones? One number for all columns together: the AUC of a classifier that tries.

Neither the price nor anything that identifies a home or its place is among the columns. Folds are whole areas, by a hash
of their code, so that no area is known from one of its own homes, and the interval resamples areas.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_decisions.bootstrap import Clusters, Estimate, auc
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge_estimate, not_judged
from ct_decisions.policy import Policy
from ct_store.connection import Connection
from house_prices.monitored import AREA, IDENTITY, MONITORED

NAME = "domain_auc"
COLUMNS = tuple(column for column in MONITORED if column.relied_by is not None)
FEWEST_ROWS = 50
"""Of each side; fewer tell nothing."""

LEAST_DROP = 0.005
"""By which a column's permutation must lower the AUC to be named."""

MOST_CATEGORIES = 200

Floats = npt.NDArray[np.float64]


def domain_signal(connection: Connection, policy: Policy, known: list[int], new: list[int]) -> Signal:
    """The signal from samples of both sides, at most ``classifier_rows`` homes of each, the same ones at every call."""
    sides = [
        _sample(connection, known, policy.retrain.classifier_rows, relisted=True),
        _sample(connection, new, policy.retrain.classifier_rows, relisted=False),
    ]
    return judge_domain(policy, *sides)


def judge_domain(policy: Policy, reference: pd.DataFrame, new: pd.DataFrame) -> Signal:
    """The signal from frames with the columns of ``COLUMNS`` and ``area``.

    ``note.columns`` names what gives the new homes away, the most telling column first.
    """
    note: dict[str, Any] = {"rows": len(new), "reference_rows": len(reference)}
    if min(len(new), len(reference)) < FEWEST_ROWS:
        return not_judged(policy.retrain, NAME, note)
    rows = pd.concat([reference, new], ignore_index=True)
    is_new = np.r_[np.zeros(len(reference), dtype=np.bool_), np.ones(len(new), dtype=np.bool_)]
    folds = fold_of(rows["area"], policy.retrain.classifier_folds)
    features, categories = _features(rows)
    scores, drops = _out_of_fold(features, categories, is_new, folds, policy.bootstrap.seed)
    judged = np.isfinite(scores)
    if not judged.any():
        return not_judged(policy.retrain, NAME, note)
    estimate = _estimate(scores[judged], is_new[judged], folds[judged], Clusters(rows["area"][judged]), policy)
    if estimate is None:
        return not_judged(policy.retrain, NAME, note)
    named = sorted(((drop, column.name) for drop, column in zip(drops, COLUMNS, strict=True)), reverse=True)
    note["columns"] = [name for drop, name in named if drop >= LEAST_DROP]
    note["drops"] = {name: round(float(drop), 4) for drop, name in named}
    return judge_estimate(policy.retrain, NAME, estimate, note)


def fold_of(areas: pd.Series[Any], folds: int) -> npt.NDArray[np.intp]:
    """The fold of each row, shape (n,): a hash of its area."""
    codes, names = pd.factorize(areas)
    of_name = np.array([zlib.crc32(f"fold|{name}".encode()) % folds for name in names], dtype=np.intp)
    return of_name[codes]


def _sample(connection: Connection, batches: list[int], rows: int, *, relisted: bool) -> pd.DataFrame:
    columns = ", ".join(f"{column.value} AS {column.name}" for column in COLUMNS)
    found = connection.execute(
        f"""
        SELECT {columns}, {AREA} AS area FROM clean.listings
         WHERE batch_id = ANY(%(batches)s) AND (%(relisted)s OR NOT relisted)
         ORDER BY md5({IDENTITY}), batch_id, row_number LIMIT %(rows)s
        """.encode(),
        {"batches": batches, "relisted": relisted, "rows": rows},
    ).fetchall()
    return pd.DataFrame(found, columns=[*(column.name for column in COLUMNS), "area"])


def _features(rows: pd.DataFrame) -> tuple[Floats, list[bool]]:
    """Numbers as they are, categories as codes by frequency; the rarest share one."""
    columns, categories = [], []
    for column in COLUMNS:
        if column.kind == "number":
            columns.append(pd.to_numeric(rows[column.name]).to_numpy(dtype=np.float64))
        else:
            order = rows[column.name].value_counts().index[:MOST_CATEGORIES]
            codes = pd.Categorical(rows[column.name], categories=order).codes.astype(np.float64)
            columns.append(np.where(codes < 0, MOST_CATEGORIES, codes))
        categories.append(column.kind == "category")
    features = np.stack(columns, axis=1)
    # A column that no home has cannot be binned; as a constant it tells nothing.
    features[:, np.isnan(features).all(axis=0)] = 0.0
    return features, categories


def _out_of_fold(
    features: Floats, categories: list[bool], is_new: npt.NDArray[np.bool_], folds: npt.NDArray[np.intp], seed: int
) -> tuple[Floats, Floats]:
    """Scores of (n,) rows by classifiers of the other folds, NaN where there is none, and each column's mean drop of the AUC.

    The drop is that of one permutation of the column in the fold that is scored.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    generator = np.random.default_rng(seed)
    scores, drops = np.full(len(features), np.nan), []
    with threadpool_limits(1, user_api="openmp"):
        for fold in np.unique(folds):
            inside = folds == fold
            if len(np.unique(is_new[inside])) < 2 or len(np.unique(is_new[~inside])) < 2:
                continue
            trees = HistGradientBoostingClassifier(
                max_iter=40, learning_rate=0.15, max_leaf_nodes=15, categorical_features=categories, early_stopping=False,
                random_state=seed,
            )  # fmt: skip
            trees.fit(features[~inside], is_new[~inside])
            held = features[inside]
            scores[inside] = trees.predict_proba(held)[:, 1]
            whole = roc_auc_score(is_new[inside], scores[inside])
            drop = []
            for position in range(features.shape[1]):
                shuffled = held.copy()
                shuffled[:, position] = generator.permutation(shuffled[:, position])
                drop.append(whole - roc_auc_score(is_new[inside], trees.predict_proba(shuffled)[:, 1]))
            drops.append(drop)
    return scores, np.mean(drops, axis=0) if drops else np.zeros(features.shape[1])


def _estimate(
    scores: Floats, is_new: npt.NDArray[np.bool_], folds: npt.NDArray[np.intp], clusters: Clusters, policy: Policy
) -> Estimate | None:
    """The AUC; None where so few areas are there that no resample has both sides."""
    found = auc(scores, is_new, folds, clusters, policy.bootstrap)
    return found if np.isfinite([found.value, found.low, found.high]).all() else None
