"""Links from a task to its run and its model version in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from continuous_training.settings import option

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

VERSIONS = ("model_version", "challenger_version", "champion_version")


def public_base() -> str:
    """MLflow as a browser reaches it, or nothing if that is not known."""
    base = (option("mlflow_public_url") or option("mlflow_tracking_uri")).rstrip("/")
    return base if base.startswith(("http://", "https://")) else ""


def public_address(address: str) -> str:
    """The address of something in MLflow as a browser reaches it."""
    inside, outside = option("mlflow_tracking_uri").rstrip("/"), option("mlflow_public_url").rstrip("/")
    if inside and outside and address.startswith(inside):
        return outside + address.removeprefix(inside)
    return address


class MLflowRunLink(BaseOperatorLink):
    """The training run, by the address that the task gave, else by its id."""

    name = "MLflow run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, or nothing if the task made no run. Read on the worker, right after the task."""
        result = getattr(operator, "result", None)
        if not result:
            return ""
        if address := result.links.get("mlflow_run"):
            return public_address(address)
        run, base = result.summary.get("mlflow_run_id"), public_base()
        return f"{base}/#/runs/{quote(str(run))}" if run and base else ""


class MLflowModelVersionLink(BaseOperatorLink):
    """The model version that the task made, judged or moved."""

    name = "Model version"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, or nothing without a version or a server. Read on the worker, right after the task."""
        result = getattr(operator, "result", None)
        base = public_base()
        if not result or not base:
            return ""
        version = next((result.summary[name] for name in VERSIONS if result.summary.get(name)), None)
        model = result.summary.get("model_name") or option("model_name")
        return f"{base}/#/models/{quote(str(model))}/versions/{quote(str(version))}" if version else ""
