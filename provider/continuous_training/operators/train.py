"""Train: a challenger on everything that CLEAN holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink, MLflowRunLink
from continuous_training.operators.base import TaskImageOperator


class TrainOperator(TaskImageOperator):
    """Train a challenger and register it in MLflow. Deferrable, so that a long training holds no worker.

    :param batch_id: the newest batch (templated), or the output of an earlier step.
    :param retrain_decision_id: the decision to train (templated), or the output of the assess step.
    """

    step = "train"
    declared: ClassVar[Mapping[str, Input]] = {
        "batch_id": Input(kind=int, required=True),
        "retrain_decision_id": Input(kind=str, required=True, taken_from=("retrain_decision_id", "decision_id")),
    }
    usual_resources = pods.resources("1", "4Gi", cpu_limit="4")
    operator_extra_links = (HistoryLink(), DebugLink(), MLflowRunLink(), MLflowModelVersionLink())

    def __init__(
        self,
        *,
        batch_id: Any = None,
        retrain_decision_id: Any = None,
        inputs: Mapping[str, Any] | None = None,
        deferrable: bool = True,
        logging_interval: int | None = 60,
        **kwargs: Any,
    ) -> None:
        own = {"batch_id": batch_id, "retrain_decision_id": retrain_decision_id}
        super().__init__(inputs={**own, **(inputs or {})}, deferrable=deferrable, logging_interval=logging_interval, **kwargs)
