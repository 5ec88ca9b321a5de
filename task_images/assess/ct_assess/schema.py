"""What has changed in the delivered columns since the champion's batches, from the validations of both."""

from __future__ import annotations

from collections import defaultdict

from ct_decisions.evidence import Signal
from ct_decisions.judging import judge_value
from ct_decisions.policy import RetrainPolicy
from ct_store.connection import Connection

NAME = "schema_changed"

Shares = dict[tuple[str, str], float]
"""Share of the delivered rows by column and kind of change: missing, new, retyped."""


def schema_signals(connection: Connection, policy: RetrainPolicy, known: list[int], new: list[int]) -> list[Signal]:
    """One signal for each change, or one of zero; see `judge_schema`."""
    return judge_schema(policy, _shares(connection, known), _shares(connection, new))


def judge_schema(policy: RetrainPolicy, known: Shares, new: Shares) -> list[Signal]:
    """The share of the delivered rows that each form of a column has, where it is larger than in the champion's batches.

    ``note.known`` is the share there: a form that the champion was trained on is no change, so a source that sends a column
    in two ways, or always a thirteenth, trains nothing. A column that was missing and is there counts as ``returned``. One
    that is not of the data set cannot be used by any model of it, so it is noted (``usable``) and never fires.
    """
    forms = [(column, kind, known.get((column, kind), 0.0), new.get((column, kind), 0.0)) for column, kind in known | new]
    forms += [(column, "returned", 1 - before, 1 - now) for column, kind, before, now in forms if kind == "missing" and before]
    changes = sorted((change for change in forms if change[3] > change[2]), key=lambda change: (-change[3], change))
    if not changes:
        return [judge_value(policy, NAME, 0.0)]
    return [
        judge_value(policy, NAME, share, {"change": kind, "known": before, "usable": kind != "new"}, column)
        for column, kind, before, share in changes
    ]


def _shares(connection: Connection, batches: list[int]) -> Shares:
    rows = connection.execute(
        """
        SELECT coalesce(sum(row_count), 0)::float8 AS all_rows,
               coalesce(jsonb_agg(schema_changes) FILTER (WHERE schema_changes <> '[]'), '[]') AS changes
          FROM audit.validations JOIN raw.batches USING (batch_id) WHERE batch_id = ANY(%s)
        """,
        (batches,),
    ).fetchone()
    counted: dict[tuple[str, str], float] = defaultdict(float)
    for change in [change for batch in rows["changes"] for change in batch] if rows else []:
        counted[change["column"], change["change"]] += change["rows"]
    total = rows["all_rows"] if rows else 0.0
    return {key: min(count / total, 1.0) for key, count in counted.items()} if total else {}
