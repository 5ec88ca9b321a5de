"""A link from a task to its run in the dashboard's history."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

from continuous_training.settings import option

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

HISTORY_PAGE = "history"


class HistoryLink(BaseOperatorLink):
    """The dashboard's history, at the task's run."""

    name = "History"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, or nothing without a dashboard. Read on the worker, right after the task."""
        base = option("dashboard_url").rstrip("/")
        if not base:
            return ""
        return f"{base}/{HISTORY_PAGE}?{urlencode({'run': ti_key.run_id})}"
