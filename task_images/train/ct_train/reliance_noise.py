"""How far the shares of reliance differ between trainings that differ by nothing but chance.

Without it people read chance as news: a column's share of the mean absolute SHAP value moves by a percentage point or two
where the same market is learnt with another seed from other homes of it.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from house_prices.encoding import out_of_fold_features
from house_prices.model import EXPLAINED, numeric

from ct_train.fitting import Outcome

log = logging.getLogger(__name__)

REFITS = 5
"""Trainings. A standard deviation of so few is known within a factor of two; who draws a band allows for it (Student's t)."""

MOST_HOMES = 10_000
"""Of which each training leaves a fifth out, another one each time. Fewer homes leave more to chance: the noise of a larger
training is overstated rather than understated."""

PART = 0.8

MOST_TREES = 100
"""Of each loss."""

EXPLAINED_ROWS = 400


def reliance_noise(outcome: Outcome, learnt: pd.DataFrame, rows: pd.DataFrame) -> dict[str, float]:
    """Standard deviation of each column's share over refits of the chosen learner with other seeds on other homes.

    ``learnt`` are the homes that the model has learnt from, ``rows`` homes that it has not. Empty without rows.
    Deterministic.
    """
    if rows.empty:
        return {}
    pool = learnt.sample(min(MOST_HOMES, len(learnt)), random_state=0)
    features, target = out_of_fold_features(pool), np.log(numeric(pool, "price"))
    asked = outcome.model.features(rows.sample(min(EXPLAINED_ROWS, len(rows)), random_state=0))
    shares = []
    for seed in range(REFITS):
        part = np.random.default_rng(seed).permutation(len(pool))[: max(int(PART * len(pool)), 1)]
        trees = outcome.chosen.again(features.iloc[part], target[part], seed=seed, most=MOST_TREES)
        shares.append(_shares(outcome, trees, asked))
    deviation = np.std(np.array(shares), axis=0, ddof=1)
    found = {name: float(value) for name, value in zip(EXPLAINED, deviation, strict=True)}
    log.info("by chance alone the shares of reliance differ by up to %.1f points", 100 * max(found.values()))
    return found


def _shares(outcome: Outcome, trees: object, features: pd.DataFrame) -> list[float]:
    values, base = outcome.model.with_trees(trees).shap_values(features)
    size = outcome.model.by_column(values, base, features.index)[list(EXPLAINED)].abs().mean()
    return [float(value) for value in size / max(float(size.sum()), 1e-12)]
