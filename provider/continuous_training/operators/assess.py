"""Assess: whether a new model is worth training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink
from continuous_training.operators.base import TaskImageOperator


class AssessOperator(TaskImageOperator):
    """Score the champion on the new rows and decide by the policy whether to train. Both answers are results.

    :param batch_id: the batch in CLEAN (templated), or the output of an earlier step.
    :param force: train whatever the policy says (templated).
    :param author: who asks for a forced training (templated).
    :param reason: why (templated).
    """

    step = "assess"
    declared: ClassVar[Mapping[str, Input]] = {
        "batch_id": Input(kind=int, required=True),
        "force": Input(kind=bool),
        "author": Input(kind=str),
        "reason": Input(kind=str),
    }
    usual_resources = pods.resources("500m", "2Gi", cpu_limit="2")
    operator_extra_links = (HistoryLink(), DebugLink(), MLflowModelVersionLink())

    def __init__(
        self,
        *,
        batch_id: Any = None,
        force: Any = False,
        author: str | None = None,
        reason: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {"batch_id": batch_id, "force": force, "author": author, "reason": reason}
        super().__init__(inputs={**own, **(inputs or {})}, **kwargs)
