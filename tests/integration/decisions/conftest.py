"""CLEAN filled with a market whose price formula is known, and models with known faults."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import mlflow
import numpy as np
import psycopg
import pytest
from ct_contract import TaskInput, TaskResult
from ct_store.connection import Connection, connect
from house_prices.model import RAW_COLUMNS
from house_prices.requests import TEXTS, UNSEEN, request_frame
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

HERE = Path(__file__).parent

INPUTS = [ColSpec(DataType.string if name in TEXTS else DataType.double, name, required=False) for name in RAW_COLUMNS]
OUTPUTS = [ColSpec(DataType.double, name) for name in ("price", "price_low", "price_high")]
SIGNATURE = ModelSignature(inputs=Schema(INPUTS), outputs=Schema(OUTPUTS))

LINEAGE = {
    "ct.git_sha": "abc123", "ct.image": "images/train:1", "ct.seed": "0", "ct.policy": "strict 1 x",
    "ct.retrain_decision_id": "an id", **{f"ct.{s}_digest": "d" for s in ("train", "validation", "calibration", "test")},
}  # fmt: skip
"""What the train step writes beside batches and reason."""

GOLDEN = [
    {"house_size": 1500.0, "bed": 3.0, "zip_code": "90001", "state": "California", "status": "for_sale"},
    {"house_size": 2500.0, "bed": 4.0, "zip_code": "90017", "state": "California", "status": "sold"},
    {},
    dict(UNSEEN),
]
"""Requests that a version was asked in training."""


@pytest.fixture(scope="session")
def logged_models(tracking_uri: str) -> dict[str, tuple[str, str, str]]:
    """Models that were logged before on that server, by their faults: address, id and run."""
    return {}


def golden_answers(faults: Mapping[str, Any]) -> dict[str, Any]:
    """What the model with these faults answered to GOLDEN in training; one that is broken was not asked."""
    spec = importlib.util.spec_from_file_location("plain_model", HERE / "plain_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.PlainModel()
    model.faults = {name: value for name, value in faults.items() if name not in ("slow", "refuses", "drift", "nonsense")}
    return {"requests": GOLDEN, "answers": model.predict(None, request_frame(GOLDEN)).to_numpy().tolist()}


class World:
    """One test's database and registered model."""

    def __init__(self, connection: Connection, tracking_uri: str, logged: dict[str, Any], directory: Path) -> None:
        self.connection = connection
        self.client = MlflowClient(tracking_uri)
        self.logged = logged
        self.directory = directory
        self.name = os.environ["CT_MODEL_NAME"]
        self.client.create_registered_model(self.name)

    def add_batch(
        self,
        batch_id: int,
        rows: int,
        *,
        level: float = 1.0,
        noise: float = 0.2,
        state: str = "California",
        status: str = "for_sale",
        zips: Sequence[int] = tuple(range(90000, 90040)),
        relisted: Sequence[int] = (),
    ) -> None:
        """Homes at size x rate of the zip code x bedrooms x level x noise; ``relisted`` are streets of earlier batches."""
        random = np.random.default_rng(batch_id)
        execute = self.connection.execute
        request = execute(
            "INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r', 'data', 'http://s') RETURNING request_id"
        ).fetchone()
        execute(
            "INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, "
            "body_sha256, envelope, schema_seen, requested_at) "
            "VALUES (%s, 's', %s, 'd', %s, %s, %s, 1, 'x', '{}', '{}', now())",
            (batch_id, batch_id - 1, f"collect {batch_id}", request["request_id"], rows),
        )
        streets = list(relisted) + [batch_id * 1_000_000 + n for n in range(rows - len(relisted))]
        with self.connection.cursor().copy("COPY clean.listings FROM STDIN") as copy:
            for number, street in enumerate(streets, start=1):
                zip_code = int(zips[street % len(zips)])
                size, bed = float(np.round(np.exp(random.normal(7.4, 0.4)))), int(random.integers(1, 6))
                worth = size * (100 + zip_code % 40 * 5) * np.exp(0.2 * (bed - 3))
                price = float(np.round(worth * level * np.exp(random.normal(0, noise))))
                key = f"{street}|{zip_code:05d}"
                bucket = int(hashlib.md5(key.encode()).hexdigest()[:8], 16) % 100
                split = "test" if bucket < 20 else "validation" if bucket < 27 else "calibration" if bucket < 34 else "train"
                copy.write_row(
                    (batch_id, number, key, bucket, split, street in relisted, 7, status, price, bed, 2, 0.25, street,
                     "Town", state, f"{zip_code:05d}", size, None)
                )  # fmt: skip
        execute(
            "INSERT INTO clean.batches VALUES (%s, 'r', '1', %s, %s, %s, %s, 0, '{}', 'x')",
            (batch_id, rows, rows, rows - len(relisted), len(relisted)),
        )
        self.connection.commit()

    def add_version(
        self,
        batches: str = "1",
        *,
        alias: str | None = None,
        reason: str = "TRAIN_VOLUME",
        claims: float | None = None,
        tags: Mapping[str, str] | None = None,
        golden: Any = None,
        signature: ModelSignature | None = SIGNATURE,
        requirements: Sequence[str] = (),
        reliance: dict[str, float] | None = None,
        **faults: Any,
    ) -> str:
        """Register a model with these faults, trained on these batches.

        ``claims`` is the MAE that its run boasts of, ``tags`` replace those of a complete lineage, ``golden`` the document of
        its answers in training ("none": there is none), ``reliance`` what its run says of its SHAP values.
        """
        key = json.dumps([faults, signature.to_dict() if signature else None, list(requirements)], sort_keys=True)
        if key not in self.logged:
            file = self.directory / "faults.json"
            file.write_text(json.dumps(faults))
            with mlflow.start_run() as run:
                found = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=str(HERE / "plain_model.py"),
                    artifacts={"faults": str(file)},
                    signature=signature,
                    pip_requirements=list(requirements),
                )
            self.logged[key] = (found.model_uri, found.model_id, run.info.run_id)
        uri, model_id, _ = self.logged[key]
        run_id = self.client.create_run("0").info.run_id
        if claims is not None:
            self.client.log_metric(run_id, "test_mae", claims)
        if golden != "none":
            self.client.log_dict(run_id, golden or golden_answers(faults), "golden.json")
        if reliance is not None:
            self.client.log_dict(run_id, reliance, "reliance.json")
        known = {**LINEAGE, "ct.batch_ids": batches, "ct.retrain_reason": reason, **(tags or {})} if batches else {}
        version = str(self.client.create_model_version(self.name, uri, run_id, tags=known, model_id=model_id).version)
        if alias:
            self.client.set_registered_model_alias(self.name, alias, version)
            self.note(version, {"production": "promoted", "previous": "demoted", "challenger": "registered"}[alias])
        return version

    def note(self, version: str, event: str) -> None:
        """A line of the ledger by another DAG, so that an alias is where the ledger has it."""
        self.connection.execute(
            "INSERT INTO audit.model_events (dag_id, run_id, model_name, model_version, event) VALUES (%s, %s, %s, %s, %s)",
            ("before", uuid4().hex, self.name, version, event),
        )
        self.connection.commit()

    def add_inferences(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """Requests that the API answered, one an hour, the first one the newest."""
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, status, http_status, input) "
                "VALUES (gen_random_uuid(), 0, now() - %s * interval '1 hour', now(), 'ok', 200, %s)",
                [(age, psycopg.types.json.Jsonb(dict(request))) for age, request in enumerate(requests)],
            )
        self.connection.commit()

    def assess(self, batch_id: int, run_id: str = "r", **inputs: Any) -> TaskResult:
        from ct_assess.step import assess

        return assess(TaskInput(task="assess", dag_id="d", run_id=run_id, inputs={"batch_id": batch_id, **inputs}))

    def evaluate(self, batch_id: int, version: str, run_id: str = "r") -> TaskResult:
        from ct_evaluate.step import evaluate

        inputs = {"batch_id": batch_id, "model_version": version}
        return evaluate(TaskInput(task="evaluate", dag_id="d", run_id=run_id, inputs=inputs))

    def rows(self, query: str) -> list[dict[str, Any]]:
        found = self.connection.execute(query.encode()).fetchall()
        self.connection.commit()
        return found

    def aliases(self) -> dict[str, str]:
        return {alias: str(v) for alias, v in self.client.get_registered_model(self.name).aliases.items()}

    def events(self) -> list[tuple[str, str]]:
        rows = self.rows("SELECT model_version, event FROM audit.model_events WHERE dag_id = 'd' ORDER BY event_id")
        return [(row["model_version"], row["event"]) for row in rows]


@pytest.fixture
def settings(tracking_uri: str, pipeline_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a task finds in its environment; the database's URL as its owner is separate."""
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", f"model-{uuid4().hex}")
    monkeypatch.delenv("CT_POLICY", raising=False)
    return pipeline_url


@pytest.fixture
def world(
    settings: str, database_url: str, tracking_uri: str, logged_models: dict[str, Any], tmp_path: Path
) -> Iterator[World]:
    """The steps run with the rights of the pipeline; the test fills RAW and CLEAN as the owner."""
    with connect("test", database_url) as connection:
        yield World(connection, tracking_uri, logged_models, tmp_path)
