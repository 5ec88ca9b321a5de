"""A link from a task to its batch in the dashboard's history."""

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
    """The dashboard's history, at the task's batch when it has one."""

    name = "History"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address, or nothing without a dashboard. Read on the worker, right after the task."""
        base = option("dashboard_url").rstrip("/")
        if not base:
            return ""
        result = getattr(operator, "result", None)
        batch = result.summary.get("batch_id") if result else None
        return f"{base}/{HISTORY_PAGE}" + (f"?{urlencode({'batch': batch})}" if batch is not None else "")
