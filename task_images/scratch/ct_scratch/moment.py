"""When one step of one run began to change something: what was written before that is what the step found.

PostgreSQL's clock is on every row that a step writes, so one moment rewinds everything, other runs and other DAGs included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ct_contract import BadDataError, ContractError
from ct_store.connection import Connection

STEPS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")

_DECISION = {"assess": "retrain", "train": "retrain", "evaluate": "promotion", "promote": "promotion"}
"""The decision of the run that says which version was in production when the step worked."""

# raw.requests knows no DAG: of a run id that two DAGs share, only requests to streams that are not another DAG's count.
_WRITES = """
WITH batch AS (
    SELECT * FROM raw.batches WHERE (dag_id, run_id) = (%(dag_id)s, %(run_id)s)
), request AS (
    SELECT * FROM raw.requests
     WHERE run_id = %(run_id)s
       AND (stream IN (SELECT stream FROM raw.batches WHERE dag_id = %(dag_id)s)
            OR stream NOT IN (SELECT stream FROM raw.batches WHERE dag_id <> %(dag_id)s))
), decision AS (
    SELECT * FROM audit.decisions WHERE (dag_id, run_id) = (%(dag_id)s, %(run_id)s)
), event AS (
    SELECT * FROM audit.model_events WHERE (dag_id, run_id) = (%(dag_id)s, %(run_id)s)
), writes (step, at) AS (
    SELECT 'collect', sent_at FROM request
    UNION ALL SELECT 'collect', answered_at FROM request
    UNION ALL SELECT 'collect', stored_at FROM batch
    UNION ALL SELECT 'collect', decided_at FROM decision WHERE kind = 'intake'
    UNION ALL SELECT 'validate', validated_at FROM audit.validations JOIN batch USING (batch_id)
    UNION ALL SELECT 'validate', decided_at FROM decision WHERE code = 'SKIP_INVALID_BATCH'
    UNION ALL SELECT 'clean', cleaned_at FROM clean.batches JOIN batch USING (batch_id)
    UNION ALL SELECT 'assess', decided_at FROM decision WHERE kind = 'retrain' AND code <> 'SKIP_INVALID_BATCH'
    UNION ALL SELECT 'train', happened_at FROM event WHERE event = 'registered'
    UNION ALL SELECT 'evaluate', decided_at FROM decision WHERE kind = 'promotion'
    UNION ALL SELECT 'promote', decided_at FROM decision WHERE kind = 'approval'
    UNION ALL SELECT CASE WHEN code = 'ROLLBACK_MANUAL' THEN 'promote' ELSE 'evaluate' END, decided_at
                FROM decision WHERE kind = 'rollback'
    UNION ALL SELECT details->>'noticed_by', happened_at FROM event WHERE event LIKE '%%alias_moved_by_hand'
    UNION ALL SELECT 'promote', happened_at FROM event
               WHERE event IN ('promoted', 'demoted', 'rejected', 'withdrawn', 'rolled_back')
)
SELECT min(at) FILTER (WHERE array_position(%(steps)s::text[], step) >= %(position)s) AS first,
       max(at) FILTER (WHERE array_position(%(steps)s::text[], step) < %(position)s) AS last,
       clock_timestamp() AS now
  FROM writes
"""


@dataclass(frozen=True)
class Moment:
    """Everything written before ``at`` (PostgreSQL's clock) was there when the step of the run began to write.

    ``champion`` is the version that was in production then, by the run's own decision: a number, "" for none, or None if
    no decision says so.
    """

    dag_id: str
    run_id: str
    task: str
    at: datetime
    champion: str | None

    @property
    def is_trained(self) -> bool:
        """Whether the run had registered its version."""
        return STEPS.index(self.task) > STEPS.index("train")


def find_moment(connection: Connection, *, dag_id: str, run_id: str, task: str) -> Moment:
    """The moment before ``task``: its first write or, if it never came to one, the last write of the steps before it.

    Raises ContractError if there is no such step, BadDataError (UNKNOWN_RUN) if the run has left nothing behind.
    """
    if task not in STEPS:
        raise ContractError(f"there is no step {task!r}: expected one of {', '.join(STEPS)}")
    values = {"dag_id": dag_id, "run_id": run_id, "steps": list(STEPS), "position": STEPS.index(task) + 1}
    found = connection.execute(_WRITES, values).fetchone()
    if found is None:
        raise RuntimeError("PostgreSQL gave no moment")
    if found["first"] is not None:
        at = found["first"]
    elif found["last"] is not None:
        at = found["last"] + timedelta(microseconds=1)
    elif task == STEPS[0]:
        at = found["now"]
    else:
        raise BadDataError(
            "UNKNOWN_RUN",
            f"the database holds nothing of run {run_id!r} of DAG {dag_id!r}, so there is no moment before its {task}. Nothing "
            "was made: see that both are spelt as Airflow spells them and that CT_DATABASE_URL names the run's database.",
        )
    return Moment(dag_id, run_id, task, at, _champion(connection, dag_id, run_id, task))


def _champion(connection: Connection, dag_id: str, run_id: str, task: str) -> str | None:
    row = connection.execute(
        "SELECT coalesce(champion_version, '') AS champion FROM audit.decisions "
        "WHERE (dag_id, run_id) = (%s, %s) AND kind IN (%s, 'rollback') AND code <> 'SKIP_INVALID_BATCH'",
        (dag_id, run_id, _DECISION.get(task)),
    ).fetchone()
    return None if row is None else str(row["champion"])
