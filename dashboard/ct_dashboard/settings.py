"""Settings of the dashboard, all from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True)
class Settings:
    """Addresses. An empty public address means that no link is shown."""

    database_url: str = ""
    serving_url: str = "http://127.0.0.1:8000"
    airflow_public_url: str = ""
    mlflow_public_url: str = ""
    model_name: str = "house-prices"
    serving_key: str = field(default="", repr=False)
    """The dashboard's API key, for an API that asks for one."""
    prometheus_url: str = ""
    """Where Prometheus collects the API's metrics; empty: volume and latency come from RAW."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read CT_DATABASE_URL, CT_SERVING_URL, CT_SERVING_KEY, CT_MODEL_NAME and CT_PROMETHEUS_URL.

        Public addresses are CT_PUBLIC_AIRFLOW_URL and CT_PUBLIC_MLFLOW_URL; the shorter names AIRFLOW_PUBLIC_URL and
        MLFLOW_PUBLIC_URL are read as well.
        """
        values = os.environ if environ is None else environ

        def public(name: str) -> str:
            return (values.get(f"CT_PUBLIC_{name}_URL") or values.get(f"{name}_PUBLIC_URL") or "").rstrip("/")

        return cls(
            database_url=values.get("CT_DATABASE_URL", ""),
            serving_url=(values.get("CT_SERVING_URL") or cls.serving_url).rstrip("/"),
            airflow_public_url=public("AIRFLOW"),
            mlflow_public_url=public("MLFLOW"),
            model_name=values.get("CT_MODEL_NAME") or cls.model_name,
            serving_key=values.get("CT_SERVING_KEY", ""),
            prometheus_url=values.get("CT_PROMETHEUS_URL", "").rstrip("/"),
        )

    def airflow_run(self, dag_id: str, run_id: str) -> str | None:
        """Where Airflow shows a run."""
        if not self.airflow_public_url:
            return None
        return f"{self.airflow_public_url}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"

    def mlflow_run(self, run_id: str) -> str | None:
        """Where MLflow shows a run."""
        return f"{self.mlflow_public_url}/#/runs/{quote(run_id, safe='')}" if self.mlflow_public_url else None

    def mlflow_version(self, version: str) -> str | None:
        """Where MLflow shows a version of the model."""
        if not self.mlflow_public_url:
            return None
        return f"{self.mlflow_public_url}/#/models/{quote(self.model_name, safe='')}/versions/{quote(version, safe='')}"
