"""The decisions of the database with their evidence, in the order in which they were made."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ct_store.connection import Connection


def read_history(connection: Connection) -> list[dict[str, Any]]:
    """Every decision as `ct_store.ledger.with_evidence` gives it, but for the evaluations, which decide nothing."""
    decisions = connection.execute("SELECT * FROM audit.decisions ORDER BY decided_at, decision_id").fetchall()
    evidence: dict[tuple[str, Any], list[dict[str, Any]]] = defaultdict(list)
    for table in ("signals", "gates"):
        for row in connection.execute(f"SELECT * FROM audit.{table} ORDER BY decision_id, position".encode()):
            evidence[table, row["decision_id"]].append(row)
    return [
        {**decision, **{table: evidence[table, decision["decision_id"]] for table in ("signals", "gates")}}
        for decision in decisions
    ]
