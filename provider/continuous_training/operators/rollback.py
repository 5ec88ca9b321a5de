"""Rollback: take the champion out of production and bring another version back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink
from continuous_training.operators.base import TaskImageOperator


class RollbackOperator(TaskImageOperator):
    """Carry out a watch's decision, or one of a person's own, with author and reason. It runs the promote image.

    :param decision_id: the decision that is carried out (templated), or the output of the watch.
    :param author: without a decision, who asks for it (templated).
    :param reason: and why (templated).
    :param to: the version to go back to (templated); the previous one if it is not given.
    """

    step = "promote"
    declared: ClassVar[Mapping[str, Input]] = {
        "action": Input(kind=str, required=True),
        "decision_id": Input(kind=str),
        "author": Input(kind=str),
        "reason": Input(kind=str),
        "to": Input(kind=str),
    }
    usual_resources = pods.resources("100m", "512Mi", cpu_limit="1")
    operator_extra_links = (DebugLink(), MLflowModelVersionLink())

    def __init__(
        self,
        *,
        decision_id: Any = None,
        author: str | None = None,
        reason: str | None = None,
        to: Any = None,
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {"action": "rollback", "decision_id": decision_id, "author": author, "reason": reason, "to": to}
        super().__init__(inputs={**own, **(inputs or {})}, **kwargs)
