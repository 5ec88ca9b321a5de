"""Collect: one batch from the data API into RAW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from continuous_training import pods
from continuous_training.inputs import Input
from continuous_training.operators.base import TaskImageOperator
from continuous_training.settings import option

CONFIGURED = ("source_url", "group_number", "day")


class CollectOperator(TaskImageOperator):
    """Ask the data API once and keep the batch in RAW, exactly once for each run; the end of the data is a skip.

    :param source_url: the data API (templated); None for ``[continuous_training] source_url``.
    :param group_number: the group whose data are asked for (templated); None for the configuration's.
    :param day: the day that is asked for (templated); None for the configuration's, which may be none.
    :param on_gap: ``recover`` or ``stop``, when the source is ahead of RAW (templated).
    """

    step = "collect"
    declared: ClassVar[Mapping[str, Input]] = {
        "source_url": Input(kind=str, required=True),
        "group_number": Input(kind=int, required=True),
        "day": Input(kind=str),
        "on_gap": Input(kind=str),
    }
    usual_resources = pods.resources("100m", "256Mi", cpu_limit="1")

    def __init__(
        self,
        *,
        source_url: str | None = None,
        group_number: Any = None,
        day: str | None = None,
        on_gap: str = "recover",
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        own = {"source_url": source_url, "group_number": group_number, "day": day, "on_gap": on_gap}
        super().__init__(inputs={**own, **(inputs or {})}, **kwargs)

    def complete_inputs(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs, and what the configuration says about the source."""
        return {**inputs, **{name: inputs.get(name) or option(name) for name in CONFIGURED}}
