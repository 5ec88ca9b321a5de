"""What the database kept of the last retrain decision."""

from ct_decisions.evidence import key_of


def signals(world):
    """Those of the last decision, by their keys."""
    last = "SELECT decision_id FROM audit.decisions ORDER BY decided_at DESC LIMIT 1"
    rows = world.rows(f"SELECT * FROM audit.signals WHERE decision_id = ({last}) ORDER BY position")
    return {key_of(row): row for row in rows}


def facts(world):
    return world.rows("SELECT facts FROM audit.decisions ORDER BY decided_at DESC LIMIT 1")[0]["facts"]
