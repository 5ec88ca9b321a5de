"""A link from a task to its kept call and the commands that run it again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class DebugLink(BaseOperatorLink):
    """The task's XComs in the Airflow UI: ``debug`` holds the commands, ``call`` what they are made from."""

    name = "Debug"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address below ``[api] base_url``; without that option below the address of the page that shows the link."""
        base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
        dag, run, task = (quote(part, safe="") for part in (ti_key.dag_id, ti_key.run_id, ti_key.task_id))
        mapped = f"/mapped/{ti_key.map_index}" if ti_key.map_index is not None and ti_key.map_index >= 0 else ""
        return f"{base}/dags/{dag}/runs/{run}/tasks/{task}{mapped}/xcom"
