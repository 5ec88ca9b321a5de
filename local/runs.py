"""One run of the pipeline for each batch, until the source has no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from local.airflow_api import Airflow
from local.display import FINISHED, Display, Task

DAG = "continuous_training"

END_OF_DATA = "SKIP_END_OF_DATA"
REJECTED_BATCH = "SKIP_INVALID_BATCH"

MOST_SKIPS = 10
"""How many runs in a row may find a known batch (a source that has begun again) before the demonstration gives up."""

POLL_SECONDS = 1.0

JUNCTIONS = ("choose_retrain", "choose_promotion", "skip_training", "finish")
"""Tasks of the DAG that only lead from one step to another; a person need not see them."""


class RunFailedError(RuntimeError):
    """A run ended in a way that no decision explains; the message has the end of the failing task's log."""


@dataclass
class Pipeline:
    """The pipeline seen from outside: Airflow's REST API, and the history in the database (read only)."""

    airflow: Airflow
    database_url: str
    display: Display
    check: Callable[[], object]
    runs: list[str] = field(default_factory=list)

    def history(self, run: str | None = None) -> list[dict[str, Any]]:
        """The lines of ``audit.history``, of one run or of all, oldest first."""
        with psycopg.connect(self.database_url, row_factory=dict_row, connect_timeout=10) as connection:
            return connection.execute(
                "SELECT * FROM audit.history WHERE dag_id = %(dag)s AND (%(run)s::text IS NULL OR run_id = %(run)s) "
                "ORDER BY happened_at, run_id",
                {"dag": DAG, "run": run},
            ).fetchall()

    def exhaust(self) -> None:
        """Finish what an earlier start left, then run until the source says that it has no more.

        Raises RunFailedError if a run fails without a recorded decision.
        """
        self.airflow.wait_for_dag(DAG)
        for run in self.airflow.unfinished(DAG):
            self._follow(run)
        skips = 0
        while skips <= MOST_SKIPS:
            run = f"demo__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
            self.airflow.trigger(DAG, run)
            code = self._follow(run)
            if code == END_OF_DATA:
                return
            skips = skips + 1 if code else 0
        raise RunFailedError(
            f"{skips} runs in a row found no new batch and no end of data either. Everything collected so far is kept. "
            "Look at the source: it seems to give the same batch for ever"
        )

    def _follow(self, run: str) -> str | None:
        """Show a run until it ends; returns the code of its intake decision, if it made one."""
        self.runs.append(run)
        title = f"run {len(self.runs)}"
        known = False
        while True:
            self.check()
            tasks = self.airflow.tasks(DAG, run)
            state = self.airflow.state(DAG, run)
            if not known and any(task.name == "collect" and task.state in FINISHED for task in tasks):
                known = True
                lines = self.history(run)
                if lines and lines[0]["batch_number"] is not None:
                    title = f"batch {lines[0]['batch_number']}, {lines[0]['row_count']:,} rows"
                elif lines and lines[0]["intake_code"]:
                    title = str(lines[0]["intake_code"])
            self.display.run(title, state, [task for task in tasks if task.name not in JUNCTIONS])
            if state in FINISHED:
                break
            time.sleep(POLL_SECONDS)
        lines = self.history(run)
        if state != "success" and not (lines and lines[0]["retrain_code"] == REJECTED_BATCH):
            raise RunFailedError(self._explain(run, tasks))
        return str(lines[0]["intake_code"]) if lines and lines[0]["intake_code"] else None

    def _explain(self, run: str, tasks: list[Task]) -> str:
        failed = [task.name for task in tasks if task.state == "failed"]
        parts = [f"the run {run} failed" + (f" in {', '.join(failed)}" if failed else "")]
        parts += ["\n".join([f"last lines of {task}:", *self.airflow.log(DAG, run, task)]) for task in failed]
        parts.append("What earlier runs recorded is kept. The task can be cleared in Airflow and runs again safely.")
        return "\n".join(parts)
