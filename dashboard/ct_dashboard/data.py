"""What the pages read: CLEAN's places, the history with its evidence, and the ledger. Nothing here knows Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ct_store.connection import Connection, connect

Decision = dict[str, Any]
"""A decision as ct_store.ledger gives it: with ``signals`` and ``gates``."""


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
    """A version's time in production; ``until`` is None for the one that is there now."""

    version: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class History:
    """Everything the history page shows, newest run first."""

    runs: Sequence[Run]
    reigns: Sequence[Reign]

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


def read_history(url: str) -> History:
    """All runs with their decisions and evidence, in seven queries however many there are. Raises TryLaterError."""
    with connect("ct_dashboard", url) as connection:
        lines = connection.execute("SELECT * FROM audit.history ORDER BY happened_at DESC NULLS LAST, run_id DESC").fetchall()
        decisions = _decisions(connection)
        events = connection.execute(
            "SELECT model_version, event, happened_at FROM audit.model_events "
            "WHERE event IN ('promoted', 'rolled_back', 'alias_moved_by_hand') ORDER BY event_id"
        ).fetchall()
        registered = connection.execute(
            "SELECT dag_id, run_id, details->>'mlflow_run_id' AS mlflow_run_id FROM audit.model_events "
            "WHERE event = 'registered'"
        ).fetchall()
    mlflow_runs = {(row["dag_id"], row["run_id"]): row["mlflow_run_id"] for row in registered}
    runs = [
        Run(
            line,
            intake=decisions.get((line["dag_id"], line["run_id"], "intake")),
            retrain=decisions.get((line["dag_id"], line["run_id"], "retrain")),
            promotion=decisions.get((line["dag_id"], line["run_id"], "promotion")),
            approval=decisions.get((line["dag_id"], line["run_id"], "approval")),
            mlflow_run_id=mlflow_runs.get((line["dag_id"], line["run_id"])),
        )
        for line in lines
    ]
    return History(runs, reigns(events))


def _decisions(connection: Connection) -> dict[tuple[str, str, str], Decision]:
    found: dict[Any, Decision] = {}
    for row in connection.execute("SELECT * FROM audit.decisions").fetchall():
        found[row["decision_id"]] = {**row, "signals": [], "gates": [], "evaluations": []}
    for kind in ("signals", "gates"):
        rows = connection.execute(f"SELECT * FROM audit.{kind} ORDER BY decision_id, position".encode()).fetchall()
        for row in rows:
            found[row["decision_id"]][kind].append(row)
    for row in connection.execute("SELECT * FROM audit.evaluations ORDER BY decision_id, dataset, role").fetchall():
        found[row["decision_id"]]["evaluations"].append(row)
    return {(row["dag_id"], row["run_id"], row["kind"]): row for row in found.values()}


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
            found[-1] = Reign(found[-1].version, found[-1].since, moment)
        found.append(Reign(version, moment, None))
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


def promoted(run: Run) -> bool:
    """Whether the run's challenger became the champion."""
    return bool(run.line["promotion_outcome"] == "promote")


def trained(run: Run) -> bool:
    """Whether the run trained a model."""
    return bool(run.line["retrain_outcome"] == "train")
