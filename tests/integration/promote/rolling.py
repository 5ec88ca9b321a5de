"""A registry of three versions of which the second is in production, and how they are rolled back."""

from uuid import uuid4

import pytest
from ct_contract import TaskInput
from ct_promote.rollback import rollback
from ct_promote.step import promote
from ct_store.connection import connect
from ct_store.ledger import record_decision
from mlflow import MlflowClient

DONE = [("2", "withdrawn"), ("1", "rolled_back")]


class World:
    """A registry with three versions of a model of its own; 1 was promoted, then 2 in its place."""

    def __init__(self, name, client, connection):
        self.name, self.client, self.connection = name, client, connection
        run = client.create_run(client.create_experiment(name)).info.run_id
        client.create_registered_model(name)
        for _ in range(3):
            client.create_model_version(name, f"runs:/{run}/model", run, description="It was trained.")
        self.promote("1", None)
        self.promote("2", "1")

    def decide(self, kind, outcome, code, champion, challenger, run_id, gates=()):  # noqa: PLR0917
        decision = record_decision(
            self.connection, dag_id="d", run_id=run_id, kind=kind, outcome=outcome, code=code, champion_version=champion,
            challenger_version=challenger, facts={"failed": [gate["name"] for gate in gates]}, gates=gates,
        )  # fmt: skip
        self.connection.commit()
        return str(decision)

    def promote(self, version, champion):
        run_id = f"promote {version}"
        decision = self.decide("promotion", "promote", "PROMOTE_BETTER", champion, version, run_id)
        inputs = {"batch_id": 1, "action": "promote", "decision_id": decision, "model_version": version}
        return promote(TaskInput(task="promote", dag_id="d", run_id=run_id, inputs=inputs))

    def by_hand(self, run_id="hand", **inputs):
        given = {"action": "rollback", "author": "Ana", "reason": "complaints", **inputs}
        return rollback(TaskInput(task="promote", dag_id="by_hand", run_id=run_id, inputs=given))

    def automatic(self, decision, run_id="watch"):
        inputs = {"action": "rollback", "decision_id": decision}
        return rollback(TaskInput(task="promote", dag_id="w", run_id=run_id, inputs=inputs))

    def aliases(self):
        return {alias: str(v) for alias, v in self.client.get_registered_model(self.name).aliases.items()}

    def rows(self, query):
        found = self.connection.execute(query).fetchall()
        self.connection.commit()
        return found

    def events(self, last=None):
        rows = self.rows("SELECT model_version, event FROM audit.model_events ORDER BY event_id")
        return [(row["model_version"], row["event"]) for row in rows][-last if last else None :]

    def moves(self):
        """What was flagged as moved by hand."""
        return self.rows(
            "SELECT model_version, details FROM audit.model_events WHERE event LIKE '%alias_moved_by_hand' ORDER BY event_id"
        )

    def version(self, number):
        return self.client.get_model_version(self.name, number)


@pytest.fixture
def world(tracking_uri, pipeline_url, monkeypatch):
    name = f"model-{uuid4().hex}"
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", name)
    with connect("test", pipeline_url) as connection:
        yield World(name, MlflowClient(tracking_uri), connection)
