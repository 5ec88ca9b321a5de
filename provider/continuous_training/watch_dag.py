"""The watch over the champion as a DAG of its own: for a while after a promotion it may be rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

from continuous_training.assets import PRODUCTION_MODEL
from continuous_training.dag import NO_NODE_YET
from continuous_training.operators.rollback import RollbackOperator
from continuous_training.operators.watch import WatchOperator

DOCUMENTATION = """
Judges the model in production by what serving recorded of it and by homes that are new to it, and rolls back to the version
before if a trigger of the policy fires. It never touches a champion that a person or a rollback put there.

| end of the run | what it means |
|---|---|
| success, `watch` skipped | nothing to watch: no champion, none by a promotion, or its hours are over |
| success, `stay` done | the champion stays; the decision says what was judged and what could not be |
| success, `rollback` done | the version before serves again |
"""


def continuous_training_watch_dag(
    dag_id: str = "continuous_training_watch",
    *,
    schedule: Any = timedelta(minutes=15),
    runner: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    retries: int = 2,
    retry_delay: timedelta = timedelta(seconds=30),
    dagrun_timeout: timedelta = timedelta(hours=1),
    is_paused_upon_creation: bool = False,
    default_args: Mapping[str, Any] | None = None,
    tags: list[str] | None = None,
) -> DAG:
    """One watch for one registered model. Its arguments mean what they mean to ``continuous_training_dag``."""
    with DAG(
        dag_id,
        description="After a promotion: watch the champion, roll back if it fails",
        doc_md=DOCUMENTATION,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=is_paused_upon_creation,
        dagrun_timeout=dagrun_timeout,
        tags=["continuous training"] if tags is None else tags,
        default_args={
            "runner": runner,
            "env_vars": dict(env_vars or {}),
            "retries": retries,
            "retry_delay": retry_delay,
            "retry_policy": ExceptionRetryPolicy(rules=[NO_NODE_YET]),
            **(default_args or {}),
        },
    ) as dag:
        judged: Any = WatchOperator(task_id="watch").output
        rollback = RollbackOperator(task_id="rollback", decision_id=judged, outlets=[PRODUCTION_MODEL])
        stay = EmptyOperator(task_id="stay")

        @task.branch(task_id="choose")
        def choose(result: dict[str, Any]) -> str:
            return "rollback" if result["summary"]["decision"] == "rollback" else "stay"

        choose(judged) >> [rollback, stay]
    return dag
