"""What MLflow is told about a training, and the version that it registers. Every call can be repeated."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import house_prices.model
import mlflow
import pandas as pd
from ct_contract import ContractError, TaskInput
from house_prices.model import RAW_COLUMNS
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

MODEL_VARIABLE = "CT_MODEL_NAME"
EXPERIMENT_VARIABLE = "CT_EXPERIMENT"
DEFAULT_NAME = "house-prices"

TEXTS = ("status", "city", "state", "zip_code", "prev_sold_date")

SIGNATURE = ModelSignature(
    inputs=Schema(
        [ColSpec(DataType.string if name in TEXTS else DataType.double, name, required=False) for name in RAW_COLUMNS]
    ),
    outputs=Schema([ColSpec(DataType.double, name) for name in ("price", "price_low", "price_high")]),
)
"""Every column may be absent: the model answers with what it is given."""


def model_name() -> str:
    """The registered model's name."""
    return os.environ.get(MODEL_VARIABLE) or DEFAULT_NAME


@dataclass(frozen=True)
class Registered:
    """A registered version and the run that made it."""

    version: str
    run_id: str
    metrics: Mapping[str, float]
    learner: str
    tags: Mapping[str, str]
    link: str = ""


@dataclass(frozen=True)
class Logged:
    """A logged model that is not registered yet."""

    uri: str
    model_id: str


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """MLflow tries the logged file in place: what Python compiles there would be logged with it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


class Tracker:
    """The MLflow side of one training, found again by the DAG run that it belongs to."""

    def __init__(self, payload: TaskInput, client: MlflowClient | None = None) -> None:
        if client is None and not os.environ.get("MLFLOW_TRACKING_URI"):
            raise ContractError("no MLflow: set MLFLOW_TRACKING_URI to a URL like http://mlflow:5000")
        self.client = client or MlflowClient()
        self.name = model_name()
        self.identity = {"ct.dag_id": payload.dag_id, "ct.dag_run_id": payload.run_id}

    def registered(self) -> Registered | None:
        """The version that this DAG run has registered before, if any."""
        for found in self.client.search_model_versions(f"name = '{self.name}'"):
            if all(found.tags.get(key) == value for key, value in self.identity.items()):
                run_id = str(found.run_id)
                run = self.client.get_run(run_id)
                learner = found.tags.get("ct.learner", "")
                return Registered(str(found.version), run_id, run.data.metrics, learner, dict(found.tags), self.link(run))
        return None

    def link(self, run: Run) -> str:
        """The page of a run, or nothing where the tracking server is no web address."""
        address = mlflow.get_tracking_uri().rstrip("/")
        if not address.startswith(("http://", "https://")):
            return ""
        return f"{address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"

    def start(self, tags: Mapping[str, str]) -> Run:
        """Begin an MLflow run; those of earlier tries, which registered nothing, are marked as killed and not used."""
        experiment_name = os.environ.get(EXPERIMENT_VARIABLE) or DEFAULT_NAME
        experiment = self.client.get_experiment_by_name(experiment_name)
        if experiment is None:
            try:
                experiment_id = self.client.create_experiment(experiment_name)
            except MlflowException:  # another training was faster
                experiment_id = mlflow.set_experiment(experiment_name).experiment_id
        else:
            experiment_id = experiment.experiment_id
        where = " and ".join(f"tags.`{key}` = '{value}'" for key, value in self.identity.items())
        for run in self.client.search_runs([experiment_id], where):
            self.client.set_terminated(run.info.run_id, "KILLED")
        return self.client.create_run(experiment_id, tags={**self.identity, **tags}, run_name=self.identity["ct.dag_run_id"])

    def log_values(self, run: Run, parameters: Mapping[str, Any], values: Mapping[str, float]) -> None:
        """Parameters and metrics in one request."""
        now = int(time.time() * 1000)
        self.client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, now, 0) for name, value in values.items()],
            params=[Param(name, str(value)) for name, value in parameters.items()],
        )

    def log_data(self, run: Run, digests: Mapping[str, str], rows: Mapping[str, int]) -> None:
        """The rows of each split as MLflow data sets: name, digest (its first 32 digits, MLflow's limit is 36), size."""
        self.client.log_inputs(
            run.info.run_id,
            [
                DatasetInput(
                    Dataset(
                        name=f"clean.listings {split}",
                        digest=digest[:32],
                        source_type="postgresql",
                        source=json.dumps({"table": "clean.listings", "split": split, "sha256": digest}),
                        profile=json.dumps({"num_rows": rows[split]}),
                    ),
                    tags=[InputTag("mlflow.data.context", split)],
                )
                for split, digest in digests.items()
            ],
        )

    def log_model(self, run: Run, directory: Path, example: pd.DataFrame, learner: str) -> Logged:
        """Log the model as a standard MLflow model from code."""
        libraries = ["mlflow-skinny", "numpy", "pandas"]
        libraries += ["catboost"] if learner == "catboost" else ["scikit-learn", "skops"]
        # What this process or its environment (MLFLOW_EXPERIMENT_ID) was set to before would refuse another experiment's run.
        mlflow.set_experiment(experiment_id=run.info.experiment_id)
        with _no_bytecode(), mlflow.start_run(run_id=run.info.run_id):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(house_prices.model.__file__)),
                artifacts={"model": str(directory)},
                signature=SIGNATURE,
                input_example=example,
                pip_requirements=[f"{library}=={version(library)}" for library in libraries],
            )
        return Logged(str(logged.model_uri), str(logged.model_id))

    def register(self, run: Run, logged: Logged, tags: Mapping[str, str], description: str) -> str:
        """Register the logged model as a version of its own; returns the version."""
        try:
            self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = self.client.create_model_version(
            self.name,
            logged.uri,
            run.info.run_id,
            tags={**self.identity, **tags},
            description=description,
            model_id=logged.model_id,
        )
        return str(created.version)

    def finish(self, run_id: str) -> None:
        """End the MLflow run."""
        self.client.set_terminated(run_id, "FINISHED")
