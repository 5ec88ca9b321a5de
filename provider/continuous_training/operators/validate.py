"""Validate: the expectations on a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.operators.base import TaskImageOperator


class ValidateOperator(TaskImageOperator):
    """Check a batch against its expectations; a batch that breaks a critical one fails the run, without a retry.

    :param batch_id: the batch in RAW (templated), or the output of the collect step.
    """

    step = "validate"
    declared: ClassVar[Mapping[str, Input]] = {"batch_id": Input(kind=int, required=True)}
    usual_resources = pods.resources("250m", "768Mi", cpu_limit="1")

    def __init__(self, *, batch_id: Any = None, inputs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(inputs={"batch_id": batch_id, **(inputs or {})}, **kwargs)
