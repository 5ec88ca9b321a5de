"""The application in this process, with what the tests of its routes need of a model and of clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import uvicorn
from ct_serving.app import create_app
from ct_serving.model_holder import LoadedModel
from ct_serving.registry import ModelVersion
from ct_serving.settings import Settings
from fastapi import FastAPI
from fastapi.testclient import TestClient
from waiting import wait_until

NAME = "house-prices"


def train_model(directory: Path, rows: int = 1500) -> tuple[Any, pd.DataFrame]:
    """A model as the pipeline trains, saves and loads it with MLflow, and the homes that it was trained on."""
    import house_prices.model
    from ct_train.fitting import fit
    from priced_homes import listings

    homes = listings(rows)
    (directory / "fitted").mkdir()
    outcome = fit(homes, directory / "fitted", 0)
    assert outcome.chosen.name == "catboost"
    mlflow.pyfunc.save_model(
        str(directory / "logged"),
        python_model=str(Path(house_prices.model.__file__)),
        artifacts={"model": str(outcome.directory)},
        pip_requirements=["pandas"],
    )
    return mlflow.pyfunc.load_model(str(directory / "logged")), homes


def random_homes(homes: pd.DataFrame, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Properties as clients send them, among them unknown places, absent fields and sizes that no home has."""
    from ct_serving.schemas import FIELDS

    random = np.random.default_rng(seed)
    chosen = homes.sample(count, replace=True, random_state=seed)
    rows = []
    for home in chosen.to_dict("records"):
        row = {name: home[name] for name in FIELDS if not pd.isna(home[name]) and random.random() > 0.1}
        if random.random() < 0.1:
            row["zip_code"] = f"{random.integers(1, 99999):05d}"
        if random.random() < 0.2 and "house_size" in row:
            row["house_size"] = float(np.exp(random.uniform(0, 15)))
        rows.append(row)
    return rows


class OneModel:
    """A registry whose alias names one version of a predictor, or none."""

    def __init__(self, predictor: Any = None, version: str = "3") -> None:
        self.predictor = predictor
        self.number = version

    def version(self) -> ModelVersion | None:
        return None if self.predictor is None else ModelVersion(NAME, self.number, "production", "r", {}, "")

    def load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel(NAME, version.version, "production", "r", self.predictor, datetime.now(UTC))


def wait_for_model(app: FastAPI) -> None:
    wait_until(lambda: app.state.service.holder.current is not None, 20, "a model is loaded")


@contextmanager
def client_of(settings: Settings, predictor: Any = None) -> Iterator[TestClient]:
    """A client of the application, which is started and stopped around it."""
    app = create_app(settings, OneModel(predictor))
    with TestClient(app) as client:
        if predictor is not None:
            wait_for_model(app)
        yield client


@contextmanager
def served(settings: Settings, predictor: Any, port: int) -> Iterator[str]:
    """The address of the application on a port of this machine."""
    app = create_app(settings, OneModel(predictor))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the API did not start"
        time.sleep(0.02)
    wait_for_model(app)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
