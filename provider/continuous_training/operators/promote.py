"""Promote: carry out the decision about a challenger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink
from continuous_training.operators.base import TaskImageOperator


class PromoteOperator(TaskImageOperator):
    """Move the production alias to the challenger, or record that it was rejected and why.

    :param batch_id: the newest batch (templated), or the output of an earlier step.
    :param action: ``promote`` or ``reject`` (templated), or the output of the evaluate step.
    :param decision_id: the decision that is carried out (templated), or the output of the evaluate step.
    :param model_version: the challenger's version (templated), or the output of the evaluate step.
    :param approval: what a person answered to a promotion that was held (templated), or the output of `ApproveOperator`.
    """

    step = "promote"
    declared: ClassVar[Mapping[str, Input]] = {
        "batch_id": Input(kind=int, required=True),
        "action": Input(kind=str, required=True, taken_from=("decision",)),
        "decision_id": Input(kind=str, required=True),
        "model_version": Input(kind=str, required=True, taken_from=("challenger_version", "model_version")),
        "approval": Input(kind=dict),
    }
    usual_resources = pods.resources("100m", "512Mi", cpu_limit="1")
    operator_extra_links = (HistoryLink(), DebugLink(), MLflowModelVersionLink())

    def __init__(
        self,
        *,
        batch_id: Any = None,
        action: Any = None,
        decision_id: Any = None,
        model_version: Any = None,
        approval: Any = None,
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {
            "batch_id": batch_id,
            "action": action,
            "decision_id": decision_id,
            "model_version": model_version,
            "approval": approval,
        }
        super().__init__(inputs={**own, **(inputs or {})}, **kwargs)
