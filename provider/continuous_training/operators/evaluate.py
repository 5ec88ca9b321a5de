"""Evaluate: champion and challenger on the same hold-out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink
from continuous_training.operators.base import TaskImageOperator


class EvaluateOperator(TaskImageOperator):
    """Compare the challenger with the champion and decide by the policy's gates. Both answers are results.

    :param batch_id: the newest batch (templated), or the output of an earlier step.
    :param model_version: the challenger's version (templated), or the output of the train step.
    """

    step = "evaluate"
    declared: ClassVar[Mapping[str, Input]] = {
        "batch_id": Input(kind=int, required=True),
        "model_version": Input(kind=str, required=True),
    }
    usual_resources = pods.resources("500m", "2Gi", cpu_limit="2")
    operator_extra_links = (HistoryLink(), DebugLink(), MLflowModelVersionLink())

    def __init__(
        self, *, batch_id: Any = None, model_version: Any = None, inputs: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(inputs={"batch_id": batch_id, "model_version": model_version, **(inputs or {})}, **kwargs)
