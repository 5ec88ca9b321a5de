"""The two rivals on the same features: CatBoost and scikit-learn's histogram gradient boosting.

Both learn log prices with a squared loss, stop early on the fixed validation homes, and give the same trees for the
same rows and seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from house_prices.model import Floats

THREADS = 2
"""Fixed: the order of additions in CatBoost depends on the number of threads."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Features (n, f) and log prices (n,) of the train and the validation homes."""

    features: pd.DataFrame
    target: Floats
    validation_features: pd.DataFrame
    validation_target: Floats


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Trained trees with what was chosen."""

    name: str
    trees: Any
    parameters: Mapping[str, Any]
    iterations: int
    validation_error: float

    def save(self, directory: Path) -> None:
        """Write the trees in the learner's own format: .cbm or .skops, never a pickle."""
        if self.name == "catboost":
            self.trees.save_model(str(directory / "trees.cbm"))
            return
        import skops.io

        skops.io.dump(self.trees, directory / "trees.skops")


def fit_catboost(data: TrainingData, seed: int) -> Fitted:
    """Oblivious trees; the encodings are numbers, so no categorical columns are needed."""
    from catboost import CatBoostRegressor

    parameters = {
        "loss_function": "RMSE",
        "iterations": 800,
        "learning_rate": 0.1,
        "depth": 6,
        # A quarter of the default number of borders: 0.0005 of log price worse at most, and twice as fast.
        "border_count": 64,
        "l2_leaf_reg": 3.0,
        "random_seed": seed,
        "thread_count": THREADS,
        "od_type": "Iter",
        "od_wait": 60,
    }
    trees = CatBoostRegressor(**parameters, logging_level="Silent", allow_writing_files=False)
    validation = (data.validation_features.to_numpy(), data.validation_target)
    if len(data.validation_target):
        trees.fit(data.features.to_numpy(), data.target, eval_set=validation, use_best_model=True)
    else:
        trees.fit(data.features.to_numpy(), data.target)
    return Fitted(
        name="catboost", trees=trees, parameters=parameters, iterations=int(trees.tree_count_),
        validation_error=_error(trees, data),
    )  # fmt: skip


def fit_hist_gradient_boosting(data: TrainingData, seed: int) -> Fitted:
    """scikit-learn's leaf-wise trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    stop_early = len(data.validation_target) > 0
    parameters = {
        "max_iter": 300,
        "learning_rate": 0.1,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
        "random_state": seed,
        "early_stopping": stop_early,
        "n_iter_no_change": 30,
        "validation_fraction": None,
    }
    trees = HistGradientBoostingRegressor(**parameters)
    validation = {"X_val": data.validation_features.to_numpy(), "y_val": data.validation_target} if stop_early else {}
    # scikit-learn cannot bin a feature that no home has. As a constant it is never split on, so any value may come later.
    features = data.features.to_numpy(copy=True)
    features[:, np.isnan(features).all(axis=0)] = 0.0
    # OpenMP's threads wait for each other actively: beside other programs on the same cores, one thread is faster than two.
    with threadpool_limits(1, user_api="openmp"):
        trees.fit(features, data.target, **validation)
    return Fitted(
        name="hist_gradient_boosting", trees=trees, parameters=parameters, iterations=int(trees.n_iter_),
        validation_error=_error(trees, data),
    )  # fmt: skip


def _error(trees: Any, data: TrainingData) -> float:
    """Mean absolute log error on the validation homes; on the training homes where there are none."""
    rows, target = data.validation_features, data.validation_target
    if len(target) == 0:
        rows, target = data.features, data.target
    return float(np.mean(np.abs(trees.predict(rows.to_numpy()) - target)))


LEARNERS = (fit_catboost, fit_hist_gradient_boosting)
