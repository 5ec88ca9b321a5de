"""Write decisions, their evidence and model events. Everything here is written once and never changed.

A run decides each thing once: a retry that finds its decision already there gets that one back, so that what people
were told stays true.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from ct_store.connection import Connection

_EVIDENCE = {
    "signals": ("name", "feature", "value", "ci_low", "ci_high", "threshold", "verdict", "note"),
    "gates": ("name", "code", "value", "ci_low", "ci_high", "threshold", "verdict", "note"),
}


def find_decision(connection: Connection, *, dag_id: str, run_id: str, kind: str) -> dict[str, Any] | None:
    """The decision of this kind that the run has made, with its ``signals`` and ``gates``, or None."""
    decision = connection.execute(
        "SELECT * FROM audit.decisions WHERE (dag_id, run_id, kind) = (%s, %s, %s)", (dag_id, run_id, kind)
    ).fetchone()
    return None if decision is None else with_evidence(connection, decision)


def with_evidence(connection: Connection, decision: dict[str, Any]) -> dict[str, Any]:
    """A decision with its ``signals``, ``gates`` and ``evaluations`` as lists of dictionaries, in order."""
    key = (decision["decision_id"],)
    signals = connection.execute("SELECT * FROM audit.signals WHERE decision_id = %s ORDER BY position", key).fetchall()
    gates = connection.execute("SELECT * FROM audit.gates WHERE decision_id = %s ORDER BY position", key).fetchall()
    evaluations = connection.execute(
        "SELECT * FROM audit.evaluations WHERE decision_id = %s ORDER BY dataset, role", key
    ).fetchall()
    return {**decision, "signals": signals, "gates": gates, "evaluations": evaluations}


def record_decision(
    connection: Connection,
    *,
    dag_id: str,
    run_id: str,
    kind: str,
    outcome: str,
    code: str,
    batch_id: int | None = None,
    policy: Mapping[str, str] | None = None,
    champion_version: str | None = None,
    challenger_version: str | None = None,
    facts: Mapping[str, Any] | None = None,
    signals: Iterable[Mapping[str, Any]] = (),
    gates: Iterable[Mapping[str, Any]] = (),
    evaluations: Iterable[Mapping[str, Any]] = (),
) -> UUID:
    """Add a decision with its evidence and return its id; the caller's transaction decides when it is visible.

    ``policy`` has ``name``, ``version`` and ``digest``. A decision that the run has already made is returned unchanged.
    """
    policy = policy or {}
    row = connection.execute(
        """
        INSERT INTO audit.decisions (dag_id, run_id, kind, batch_id, outcome, code, policy_name, policy_version,
                                     policy_digest, champion_version, challenger_version, facts)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT ON CONSTRAINT one_decision_a_run DO NOTHING
        RETURNING decision_id
        """,
        (
            dag_id,
            run_id,
            kind,
            batch_id,
            outcome,
            code,
            policy.get("name"),
            policy.get("version"),
            policy.get("digest"),
            champion_version,
            challenger_version,
            Jsonb(dict(facts or {})),
        ),
    ).fetchone()
    if row is None:
        existing = find_decision(connection, dag_id=dag_id, run_id=run_id, kind=kind)
        if existing is None:
            raise RuntimeError(f"the {kind} decision of run {run_id} was removed while it was read")
        return existing["decision_id"]  # type: ignore[no-any-return]
    decision_id: UUID = row["decision_id"]
    _add_evidence(connection, decision_id, "signals", signals)
    _add_evidence(connection, decision_id, "gates", gates)
    for evaluation in evaluations:
        connection.execute(
            """
            INSERT INTO audit.evaluations (decision_id, model_version, role, dataset, dataset_digest, row_count, metrics)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            (
                decision_id,
                evaluation["model_version"],
                evaluation["role"],
                evaluation["dataset"],
                evaluation["dataset_digest"],
                evaluation["row_count"],
                Jsonb(evaluation["metrics"]),
            ),
        )
    return decision_id


def _add_evidence(connection: Connection, decision_id: UUID, table: str, lines: Iterable[Mapping[str, Any]]) -> None:
    columns = _EVIDENCE[table]
    statement = (
        f"INSERT INTO audit.{table} (decision_id, position, {', '.join(columns)}) VALUES (%s, %s{', %s' * len(columns)})"
    )
    for position, line in enumerate(lines):
        values = [Jsonb(line.get("note") or {}) if column == "note" else line.get(column) for column in columns]
        connection.execute(statement.encode(), [decision_id, position, *values])


IMAGE_VARIABLE = "CT_IMAGE"
CODE_VARIABLE = "CT_CODE_VERSION"


def record_step(connection: Connection, *, dag_id: str, run_id: str, step: str, batch_id: int | None) -> None:
    """Add the line that says which image (``CT_IMAGE``) and code (``CT_CODE_VERSION``) did this step of the run.

    In the transaction of what the step does, after it: a try that finds everything done adds nothing.
    """
    connection.execute(
        """
        INSERT INTO audit.steps (dag_id, run_id, step, batch_id, image, code_version) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (dag_id, run_id, step) DO NOTHING
        """,
        (dag_id, run_id, step, batch_id, os.environ.get(IMAGE_VARIABLE) or None, os.environ.get(CODE_VARIABLE) or None),
    )


def record_event(
    connection: Connection,
    *,
    dag_id: str,
    run_id: str,
    model_name: str,
    model_version: str,
    event: str,
    decision_id: UUID | str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the ledger of a model version. The same line of the same run is written once."""
    connection.execute(
        """
        INSERT INTO audit.model_events (dag_id, run_id, model_name, model_version, event, decision_id, details)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT ON CONSTRAINT one_event_a_run DO NOTHING
        """,
        (dag_id, run_id, model_name, model_version, event, decision_id, Jsonb(dict(details or {}))),
    )
