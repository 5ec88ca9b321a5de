"""Clean: from a batch in RAW to rows in CLEAN and in quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.operators.base import TaskImageOperator


class CleanOperator(TaskImageOperator):
    """Move the good rows of a batch to CLEAN with their split, and the others to quarantine with their rule.

    :param batch_id: the batch in RAW (templated), or the output of an earlier step.
    """

    step = "clean"
    declared: ClassVar[Mapping[str, Input]] = {"batch_id": Input(kind=int, required=True)}
    usual_resources = pods.resources("100m", "256Mi", cpu_limit="1")

    def __init__(self, *, batch_id: Any = None, inputs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(inputs={"batch_id": batch_id, **(inputs or {})}, **kwargs)
