"""What the pages read: CLEAN's places, the history with its evidence, and the ledger. Nothing here knows Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ct_store.connection import Connection, connect

Decision = dict[str, Any]
"""A decision as audit.decisions has it, with its lines of ``signals`` and ``gates``."""


@dataclass(frozen=True)
class Run:
    """One line of audit.history with its decisions (None where nothing was decided)."""

    line: Mapping[str, Any]
    intake: Decision | None = None
    retrain: Decision | None = None
    promotion: Decision | None = None
    approval: Decision | None = None
    mlflow_run_id: str | None = None

    @property
    def verdict(self) -> Decision | None:
        """What was carried out about the challenger: a person's answer, else the decision of the gates."""
        return self.approval or self.promotion

    @property
    def key(self) -> str:
        """What a deep link names the run by."""
        return str(self.line["run_id"])


@dataclass(frozen=True)
class Reign:
    """A version's time in production: what brought it there, and until when (None for the one that is there now)."""

    version: str
    since: datetime
    until: datetime | None
    event: str = "promoted"
    decision_id: Any = None


@dataclass(frozen=True)
class Totals:
    """Runs and batches in all, how many batches trained a model, and how many of those models were promoted."""

    runs: int = 0
    batches: int = 0
    trained: int = 0
    promoted: int = 0


@dataclass(frozen=True)
class History:
    """Everything the history page shows, newest run first; ``crowned`` is the decision that the champion is there by."""

    runs: Sequence[Run]
    reigns: Sequence[Reign]
    crowned: Decision | None = None
    totals: Totals = Totals()

    @property
    def champion(self) -> str | None:
        """The version in production according to the ledger."""
        return self.reigns[-1].version if self.reigns else None

    @property
    def batches(self) -> Sequence[Run]:
        """The runs that took a batch."""
        return [run for run in self.runs if run.line["batch_id"] is not None]


@dataclass(frozen=True)
class Places:
    """Zip codes by city by state, as far as CLEAN knows them."""

    tree: Mapping[str, Mapping[str, Sequence[str]]]

    def states(self) -> list[str]:
        """All states, in order."""
        return sorted(self.tree)

    def cities(self, state: str | None) -> list[str]:
        """The cities of a state, in order; none without a state."""
        return sorted(city for city in self.tree.get(state or "", {}) if city)

    def zip_codes(self, state: str | None, city: str | None) -> list[str]:
        """The zip codes of a city, or of the whole state if no city is chosen."""
        cities = self.tree.get(state or "", {})
        if city is not None:
            return sorted(cities.get(city, ()))
        return sorted({code for codes in cities.values() for code in codes})


def read_places(url: str) -> Places:
    """The places of all cleaned listings. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        # Hashed, not sorted: on a million listings an array_agg(DISTINCT ...) takes several times as long.
        rows = connection.execute("SELECT DISTINCT state, COALESCE(city, '') AS city, zip_code FROM clean.listings").fetchall()
    tree: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        tree.setdefault(row["state"], {}).setdefault(row["city"], []).append(row["zip_code"])
    return Places(tree)


MOST_RUNS = 500
"""Runs that the pages show: the newest. Older ones are found by their address."""

MOST_REIGNS = 100
"""Times in production that are read: the newest."""

_LINES = """
SELECT * FROM (
    SELECT *, row_number() OVER (ORDER BY happened_at DESC NULLS LAST, run_id DESC) AS position,
           count(*) OVER () AS all_runs, count(batch_id) OVER () AS all_batches,
           count(*) FILTER (WHERE batch_id IS NOT NULL AND retrain_outcome = 'train') OVER () AS all_trained,
           count(*) FILTER (WHERE batch_id IS NOT NULL AND promotion_outcome = 'promote') OVER () AS all_promoted
      FROM audit.history
) AS numbered
WHERE position <= %s OR run_id = %s ORDER BY position
"""

_DECISIONS = """
SELECT * FROM audit.decisions
 WHERE decision_id = %s OR (dag_id, run_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""


def read_history(url: str, model_name: str, run_id: str | None = None) -> History:
    """The newest MOST_RUNS runs, and the one of that id, with decisions and evidence, in six queries however many there are.

    Raises TryLaterError.
    """
    with connect("ct_dashboard", url) as connection:
        lines = connection.execute(_LINES, (MOST_RUNS, run_id)).fetchall()
        events = connection.execute(
            "SELECT model_version, event, happened_at, decision_id FROM audit.model_events WHERE model_name = %s "
            "AND event IN ('promoted', 'rolled_back', 'alias_moved_by_hand') ORDER BY event_id DESC LIMIT %s",
            (model_name, MOST_REIGNS),
        ).fetchall()
        found = reigns(events[::-1])
        decisions = _decisions(connection, lines, found[-1].decision_id if found else None)
        registered = connection.execute(
            "SELECT dag_id, run_id, details->>'mlflow_run_id' AS mlflow_run_id FROM audit.model_events "
            "WHERE event = 'registered' AND model_name = %s AND model_version = ANY(%s)",
            (model_name, [line["challenger_version"] for line in lines if line["challenger_version"]]),
        ).fetchall()
    by_run = {(decision["dag_id"], decision["run_id"], decision["kind"]): decision for decision in decisions.values()}
    mlflow_runs = {(row["dag_id"], row["run_id"]): row["mlflow_run_id"] for row in registered}
    runs = []
    for line in lines:
        key = (line["dag_id"], line["run_id"])
        made = {kind: by_run.get((*key, kind)) for kind in ("intake", "retrain", "promotion", "approval")}
        runs.append(Run(line, **made, mlflow_run_id=mlflow_runs.get(key)))
    totals = Totals(*(lines[0][f"all_{name}"] for name in ("runs", "batches", "trained", "promoted"))) if lines else Totals()
    return History(runs, found, decisions.get(found[-1].decision_id) if found else None, totals)


def _decisions(connection: Connection, lines: Sequence[Mapping[str, Any]], other: Any) -> dict[Any, Decision]:
    """The decisions of these runs, and the one of that id, by id, with signals and gates in their order."""
    keys = [[line[name] for line in lines] for name in ("dag_id", "run_id")]
    rows = connection.execute(_DECISIONS, (other, *keys)).fetchall()
    found: dict[Any, Decision] = {row["decision_id"]: {**row, "signals": [], "gates": []} for row in rows}
    for kind in ("signals", "gates"):
        statement = f"SELECT * FROM audit.{kind} WHERE decision_id = ANY(%s) ORDER BY decision_id, position"
        for row in connection.execute(statement.encode(), (list(found),)).fetchall():
            found[row["decision_id"]][kind].append(row)
    return found


def reigns(events: Sequence[Mapping[str, Any]]) -> list[Reign]:
    """Who was in production when, from ledger lines in order, each of which names the version that came to production.

    A version that is named again while it is in production changes nothing.
    """
    found: list[Reign] = []
    for event in events:
        version, moment = str(event["model_version"]), event["happened_at"]
        if found and found[-1].version == version:
            continue
        if found:
            found[-1] = replace(found[-1], until=moment)
        found.append(Reign(version, moment, None, event["event"], event["decision_id"]))
    return found


def read_report(url: str, batch_id: int) -> str | None:
    """The validation report (HTML) of a batch, or None if it was not validated. Raises TryLaterError."""
    with connect("ct_dashboard", url) as connection:
        row = connection.execute("SELECT report_html FROM audit.validations WHERE batch_id = %s", (batch_id,)).fetchone()
    return None if row is None else str(row["report_html"])


def change_gate(promotion: Decision | None) -> Mapping[str, Any] | None:
    """The gate that compares challenger and champion: its value is the relative change of the error with its interval."""
    if promotion is None:
        return None
    return next((gate for gate in promotion["gates"] if gate["name"] == "superiority" and gate["value"] is not None), None)
