"""Watch: whether the champion stays in production."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink
from continuous_training.operators.base import TaskImageOperator


class WatchOperator(TaskImageOperator):
    """Judge the champion for a while after its promotion and decide whether to roll back. Both answers are results.

    It runs the evaluate image, which can load both versions. Skipped if there is nothing to watch.
    """

    step = "evaluate"
    declared: ClassVar[Mapping[str, Input]] = {"action": Input(kind=str, required=True)}
    usual_resources = pods.resources("100m", "2Gi", cpu_limit="2")
    operator_extra_links = (DebugLink(), MLflowModelVersionLink())

    def __init__(self, *, inputs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(inputs={"action": "watch", **(inputs or {})}, **kwargs)
