"""The two rivals on the same features: a blend of CatBoost models, and scikit-learn's histogram gradient boosting.

They learn log prices, stop early on the fixed validation homes, and give the same trees for the same rows and seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from house_prices.model import Floats

THREADS = 2
"""Fixed: the order of additions in CatBoost depends on the number of threads."""

CATBOOST_LOSSES = ("MAE", "RMSE")
"""One model each; their mean is the blend. MAE is after the typical home, RMSE after the unusual one."""

MOST_ITERATIONS = 1500
"""Of each loss; the validation homes end it earlier where they are few."""

CATBOOST: Mapping[str, Any] = {
    "learning_rate": 0.06,
    "depth": 6,
    "border_count": 128,
    "l2_leaf_reg": 3.0,
    "thread_count": THREADS,
}
MOST_HOMES_A_TREE = 250_000
"""Of more homes each tree is grown on a random part of this size, so that a tree costs little more beyond it (Friedman,
Stochastic Gradient Boosting, Computational Statistics & Data Analysis 38(4), 2002)."""

PATIENCE = 100
"""Iterations without a better validation error before CatBoost stops."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Features (n, f) and log prices (n,) of the train and the validation homes."""

    features: pd.DataFrame
    target: Floats
    validation_features: pd.DataFrame
    validation_target: Floats


class Again(Protocol):
    """Fit as many trees (at most ``most`` of each loss) to features (n, f) and log prices (n,) of other homes."""

    def __call__(self, features: pd.DataFrame, target: Floats, *, seed: int | None = None, most: int | None = None) -> Any:
        """The trees; without a ``seed`` with that of the first training."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Trained trees with what was chosen, and how to fit them again."""

    name: str
    trees: Any
    parameters: Mapping[str, Any]
    iterations: int
    validation_error: float
    again: Again

    def save(self, directory: Path) -> None:
        """Write the trees in the learner's own format: .cbm or .skops, never a pickle."""
        if self.name == "catboost":
            self.trees.save_model(str(directory / "trees.cbm"))
            return
        import skops.io

        skops.io.dump(self.trees, directory / "trees.skops")


def fit_catboost(data: TrainingData, seed: int) -> Fitted:
    """Oblivious trees; the encodings are numbers, so no categorical columns are needed.

    Sums of trees are trees: the blend is one CatBoost model, with one file and one exact explanation.
    """
    from catboost import CatBoostRegressor, Pool, sum_models

    settings = {**CATBOOST, "random_seed": seed, **_drawn(len(data.target))}

    def blend(
        features: pd.DataFrame, target: Floats, iterations: Mapping[str, int], validation: Any, seed: int = seed
    ) -> list[Any]:
        pool = Pool(features.to_numpy(), target)
        pool.quantize(border_count=CATBOOST["border_count"])
        models = []
        for loss in CATBOOST_LOSSES:
            chosen = {**settings, "random_seed": seed, "loss_function": loss, "iterations": iterations[loss]}
            model = CatBoostRegressor(**chosen, logging_level="Silent", allow_writing_files=False)
            stop = {"early_stopping_rounds": PATIENCE, "use_best_model": True} if validation is not None else {}
            models.append(model.fit(pool, eval_set=validation, **stop))
        return models

    def total(models: list[Any]) -> Any:
        return sum_models(models, weights=[1 / len(models)] * len(models))

    validation = None
    if len(data.validation_target):
        validation = Pool(data.validation_features.to_numpy(), data.validation_target)
    most = dict.fromkeys(CATBOOST_LOSSES, MOST_ITERATIONS)
    models = blend(data.features, data.target, most, validation)
    counts = {loss: int(model.tree_count_) for loss, model in zip(CATBOOST_LOSSES, models, strict=True)}
    trees = total(models)
    first = seed

    def again(features: pd.DataFrame, target: Floats, *, seed: int | None = None, most: int | None = None) -> Any:
        fewer = {loss: min(count, most or count) for loss, count in counts.items()}
        return total(blend(features, target, fewer, None, first if seed is None else seed))

    return Fitted(
        name="catboost",
        trees=trees,
        parameters={
            **settings,
            "iterations": MOST_ITERATIONS,
            "loss_function": "+".join(CATBOOST_LOSSES),
            "od_wait": PATIENCE,
            **{f"iterations_{loss}": count for loss, count in counts.items()},
        },
        iterations=sum(counts.values()),
        validation_error=_error(trees, data),
        again=again,
    )


def _drawn(homes: int) -> dict[str, Any]:
    """CatBoost's settings to draw the homes of each tree; its defaults where they are few enough."""
    if homes <= MOST_HOMES_A_TREE:
        return {}
    return {"bootstrap_type": "Bernoulli", "subsample": MOST_HOMES_A_TREE / homes}


def fit_hist_gradient_boosting(data: TrainingData, seed: int) -> Fitted:
    """scikit-learn's leaf-wise trees with a squared loss."""
    from sklearn.ensemble import HistGradientBoostingRegressor

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
    validation = {"X_val": data.validation_features.to_numpy(), "y_val": data.validation_target} if stop_early else {}
    trees = _fit_hist(HistGradientBoostingRegressor(**parameters), data.features, data.target, validation)
    count = int(trees.n_iter_)
    first = seed

    def again(features: pd.DataFrame, target: Floats, *, seed: int | None = None, most: int | None = None) -> Any:
        fewer = {"max_iter": max(min(count, most or count), 1), "random_state": first if seed is None else seed}
        return _fit_hist(
            HistGradientBoostingRegressor(**{**parameters, **fewer, "early_stopping": False}), features, target, {}
        )

    return Fitted(
        name="hist_gradient_boosting", trees=trees, parameters=parameters, iterations=count,
        validation_error=_error(trees, data),
        again=again,
    )  # fmt: skip


def _fit_hist(trees: Any, frame: pd.DataFrame, target: Floats, validation: Mapping[str, Any]) -> Any:
    from threadpoolctl import threadpool_limits

    # scikit-learn cannot bin a feature that no home has. As a constant it is never split on, so any value may come later.
    features = frame.to_numpy(copy=True)
    features[:, np.isnan(features).all(axis=0)] = 0.0
    # OpenMP's threads wait for each other actively: beside other programs on the same cores, one thread is faster than two.
    with threadpool_limits(1, user_api="openmp"):
        return trees.fit(features, target, **validation)


def _error(trees: Any, data: TrainingData) -> float:
    """Mean absolute log error on the validation homes; on the training homes where there are none."""
    rows, target = data.validation_features, data.validation_target
    if len(target) == 0:
        rows, target = data.features, data.target
    return float(np.mean(np.abs(trees.predict(rows.to_numpy()) - target)))


LEARNERS = (fit_catboost, fit_hist_gradient_boosting)
