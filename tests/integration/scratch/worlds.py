"""A world's state as digests, and a world that is the scratch copy of another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import psycopg
from mlflow import MlflowClient

STEPS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")


@dataclass(frozen=True)
class ScratchWorld:
    """The real world with what a copy's result says beside it."""

    real: Any
    result: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        # The URL leads nowhere, so that a step which did not honour CT_DATABASE_NAME would fail.
        server = self.real.database_url.rsplit("/", 1)[0]
        return {**self.real.environment, "CT_DATABASE_URL": f"{server}/nowhere", **self.result["summary"]["env"]}


@dataclass(frozen=True)
class Maker:
    """The environment of the scratch task: the real world and the administrator's URL."""

    real: Any
    admin_url: str

    @property
    def environment(self) -> dict[str, str]:
        return {**self.real.environment, "CT_ADMIN_DATABASE_URL": self.admin_url}


def database_state(url: str) -> dict[str, Any]:
    """Rows and digest of every table, and where every sequence stands."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('raw', 'clean', 'audit') ORDER BY 1"
        ).fetchall()
        state: dict[str, Any] = {}
        for (table,) in tables:
            state[table] = connection.execute(
                f"SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {table} AS t"
            ).fetchone()
        for schema, name in connection.execute(
            "SELECT schemaname, sequencename FROM pg_sequences WHERE schemaname IN ('raw', 'clean', 'audit') ORDER BY 1, 2"
        ).fetchall():
            state[f"sequence {schema}.{name}"] = connection.execute(
                f"SELECT last_value, is_called FROM {schema}.{name}"
            ).fetchone()
        return state


def _files(client: MlflowClient, run_id: str, path: str | None = None) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for item in client.list_artifacts(run_id, path):
        found += _files(client, run_id, item.path) if item.is_dir else [(item.path, item.file_size)]
    return found


def model_state(tracking_uri: str, name: str) -> dict[str, Any]:
    """Everything that MLflow knows of a registered model, and of the experiment of the same name."""
    client = MlflowClient(tracking_uri)
    model = client.get_registered_model(name)
    versions = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    logged = client.search_logged_models([experiment.experiment_id])
    aliases = {alias: str(number) for alias, number in model.aliases.items()}
    return {
        "model": (model.description, aliases, model.last_updated_timestamp),
        "versions": [
            (str(v.version), v.source, v.run_id, dict(v.tags), v.description, v.last_updated_timestamp) for v in versions
        ],
        "experiment": (experiment.experiment_id, experiment.last_update_time, dict(experiment.tags)),
        "runs": sorted(
            (
                run.info.run_id, run.info.status, run.data.tags, run.data.params, run.data.metrics,
                _files(client, run.info.run_id),
            )
            for run in runs
        ),
        "logged models": sorted((m.model_id, m.last_updated_timestamp, dict(m.tags)) for m in logged),
    }  # fmt: skip


def digest(state: dict[str, Any]) -> dict[str, str]:
    """One digest for each part, so that a difference says where it is."""
    return {
        name: hashlib.sha256(json.dumps(part, default=str, sort_keys=True).encode()).hexdigest() for name, part in state.items()
    }
