"""The models of the measurement: what the train step makes of synthetic homes, and the same with its first 600 trees."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "retrain"))

PERCENT = 4.0
TREES = 600


@dataclass(frozen=True)
class Models:
    """Directories of both models, the number of trees of the larger one, and homes that neither has learnt from."""

    default: Path
    small: Path
    trees: int
    homes: list[dict[str, Any]]


def train(directory: Path) -> Models:
    """Train on ``PERCENT`` of the synthetic source."""
    import catboost
    from ct_train.fitting import fit
    from ct_train.profile import domain
    from house_prices.requests import golden_requests
    from market import CATEGORIES, clean_batches

    frame = pd.concat(list(clean_batches(0, PERCENT)), ignore_index=True)
    for name in CATEGORIES:
        frame[name] = frame[name].astype(object).astype("category")
    default, small = directory / "default", directory / "small"
    default.mkdir()
    outcome = fit(frame, default, 0)
    assert outcome.chosen.name == "catboost", outcome.chosen.name
    seen = frame[frame["split"] != "test"]
    (default / "domain.json").write_text(json.dumps(domain(seen)))
    shutil.copytree(default, small)
    trees = catboost.CatBoostRegressor().load_model(str(default / "trees.cbm"))
    count = int(trees.tree_count_)
    trees.shrink(TREES)
    trees.save_model(str(small / "trees.cbm"))
    homes = [
        {name: value for name, value in request.items() if value is not None}
        for request in golden_requests(frame[frame["split"] == "test"], 3000)
    ]
    return Models(default, small, count, homes)


def register(directory: Path, name: str, tracking_uri: str) -> None:
    """Log and register a model as the train step does it, with the alias that serving follows."""
    import house_prices.model
    import mlflow
    from ct_train.tracking import SIGNATURE

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    mlflow.set_experiment("serving speed")
    mlflow.pyfunc.log_model(
        name="model", python_model=str(Path(house_prices.model.__file__)), artifacts={"model": str(directory)},
        signature=SIGNATURE, pip_requirements=["mlflow-skinny"], registered_model_name=name,
    )  # fmt: skip
    mlflow.MlflowClient(tracking_uri).set_registered_model_alias(name, "production", "1")
