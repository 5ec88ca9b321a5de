"""GET /model/history: which version was in production when, and why, from the ledger.

The reasons are rendered from codes and numbers by `ct_decisions`, as everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ct_serving.refusals import try_later
from ct_serving.route_database import Connection, Database, DatabaseAwayError

logger = logging.getLogger(__name__)

Language = Literal["en", "es"]
RETRY_SECONDS = 15

# A version that is named again while it is in production changes nothing.
_REIGNS = """
WITH named AS (
    SELECT *, lag(model_version) OVER (ORDER BY event_id) AS before
      FROM audit.model_events
     WHERE model_name = %(model)s AND event IN ('promoted', 'rolled_back', 'alias_moved_by_hand')
), reigns AS (
    SELECT *, lead(happened_at) OVER (ORDER BY event_id) AS until FROM named WHERE before IS DISTINCT FROM model_version
)
SELECT reign.event_id, reign.model_version, reign.event, reign.happened_at, reign.until, reign.dag_id, reign.run_id,
       reign.decision_id, trained.decision_id AS trained_id
  FROM reigns AS reign
  LEFT JOIN LATERAL (
      SELECT decision.decision_id
        FROM audit.model_events AS registered
        JOIN audit.decisions AS decision USING (dag_id, run_id)
       WHERE registered.event = 'registered' AND registered.model_name = reign.model_name
         AND registered.model_version = reign.model_version AND decision.kind = 'retrain'
       ORDER BY registered.event_id LIMIT 1
  ) AS trained ON true
 ORDER BY reign.event_id DESC LIMIT %(limit)s
"""


class HistoryRoute:
    """The route's dependencies and its work."""

    def __init__(self, database: Database, model_name: str) -> None:
        self._database = database
        self._model_name = model_name

    async def __call__(self, language: Language, limit: int) -> dict[str, Any]:
        """At most ``limit`` reigns, newest first. Raises RouteError (503) while the database is away."""
        try:
            lines, decisions = await self._database.run(lambda connection: _read(connection, self._model_name, limit))
        except DatabaseAwayError as error:
            logger.warning("the history cannot be read: %s", error)
            message = "the database is away; /model says which version answers now"
            raise try_later("database", message, RETRY_SECONDS) from error
        return {
            "model": self._model_name,
            "language": language,
            "reigns": [
                {
                    "version": line["model_version"],
                    "since": line["happened_at"],
                    "until": line["until"],
                    "event": line["event"],
                    "dag_id": line["dag_id"],
                    "run_id": line["run_id"],
                    "trained_because": _reason(decisions.get(line["trained_id"]), language),
                    "in_production_because": _reason(decisions.get(line["decision_id"]), language),
                }
                for line in lines
            ],
        }


def _read(connection: Connection, model_name: str, limit: int) -> tuple[Sequence[Mapping[str, Any]], dict[Any, dict[str, Any]]]:
    lines = connection.execute(_REIGNS, {"model": model_name, "limit": limit}).fetchall()
    ids = list({key for line in lines for key in (line["decision_id"], line["trained_id"]) if key is not None})
    found = {
        row["decision_id"]: {**row, "signals": [], "gates": []}
        for row in connection.execute("SELECT * FROM audit.decisions WHERE decision_id = ANY(%s)", (ids,)).fetchall()
    }
    for kind in ("signals", "gates"):
        statement = f"SELECT * FROM audit.{kind} WHERE decision_id = ANY(%s) ORDER BY decision_id, position".encode()
        for row in connection.execute(statement, (ids,)).fetchall():
            found[row["decision_id"]][kind].append(row)
    return lines, found


def _reason(decision: Mapping[str, Any] | None, language: Language) -> dict[str, Any] | None:
    if decision is None:
        return None
    from ct_decisions.reasons import render

    try:
        text = render(decision, language)
    except (ValueError, KeyError):
        # A newer pipeline may have written a code whose sentence this image does not know.
        logger.exception("decision %s has no sentence here", decision["decision_id"])
        text = str(decision["code"])
    return {
        "code": decision["code"],
        "text": text,
        "decided_at": decision["decided_at"],
        "decision_id": decision["decision_id"],
        "policy": None if decision["policy_name"] is None else f"{decision['policy_name']} {decision['policy_version']}",
    }
