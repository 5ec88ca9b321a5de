"""Everything that was kept of one run: its batch, what was found, what was decided on what, what happened to the model."""

from __future__ import annotations

from typing import Any

from ct_store.connection import Connection
from ct_store.ledger import find_decision

DECISION_KINDS = ("intake", "retrain", "promotion", "approval")
"""In the order in which a run makes them."""


def read_run(connection: Connection, *, dag_id: str, run_id: str) -> dict[str, Any] | None:
    """What the database holds of a run, or None if it holds nothing.

    ``line`` is its line of audit.history; ``batch``, ``validation`` and ``clean`` are rows without their bulky parts, or
    None; a key for each of DECISION_KINDS has the decision with its evidence, or None; ``events`` are the lines that the run
    wrote into the ledger, in order.
    """
    key = {"dag_id": dag_id, "run_id": run_id}
    line = connection.execute("SELECT * FROM audit.history WHERE (dag_id, run_id) = (%(dag_id)s, %(run_id)s)", key).fetchone()
    if line is None:
        return None
    of_batch = {"batch_id": line["batch_id"]}
    return {
        "line": line,
        "batch": connection.execute(
            "SELECT batch_id, stream, batch_number, row_count, body_bytes, body_sha256, stored_at FROM raw.batches "
            "WHERE batch_id = %(batch_id)s",
            of_batch,
        ).fetchone(),
        "validation": connection.execute(
            "SELECT suite_name, suite_version, accepted, expectations, schema_changes, new_categories, validated_at "
            "FROM audit.validations WHERE batch_id = %(batch_id)s",
            of_batch,
        ).fetchone(),
        "clean": connection.execute("SELECT * FROM clean.batches WHERE batch_id = %(batch_id)s", of_batch).fetchone(),
        **{kind: find_decision(connection, kind=kind, **key) for kind in DECISION_KINDS},
        "events": connection.execute(
            "SELECT happened_at, model_name, model_version, event, decision_id, details FROM audit.model_events "
            "WHERE (dag_id, run_id) = (%(dag_id)s, %(run_id)s) ORDER BY event_id",
            key,
        ).fetchall(),
    }
