"""Copies of a registered model whose past is not straight: numbers that are gone, versions and aliases made by hand."""

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from ct_scratch.moment import Moment
from ct_scratch.names import names_of
from ct_scratch.registry import create_model, drop_model, read_past
from ct_store.connection import connect
from ct_store.ledger import record_event
from mlflow import MlflowClient
from mlflow.artifacts import load_text

pytestmark = pytest.mark.integration


def register(client, name, run_tags=None):
    experiment = client.get_experiment_by_name(name)
    run = client.create_run(experiment.experiment_id, tags=run_tags)
    client.log_text(run.info.run_id, f"files of {run.info.run_id}", "model/weights")
    return client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, tags=run_tags)


@pytest.fixture
def world(tracking_uri, pipeline_url, monkeypatch):
    """Versions 1 (in production), 2 (deleted since), 3 (registered by hand), 4 (of run r4) and the ledger's lines of them."""
    name = f"model-{uuid4().hex[:12]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("CT_MODEL_NAME", name)
    monkeypatch.setenv("CT_EXPERIMENT", name)
    client = MlflowClient(tracking_uri)
    client.create_experiment(name)
    client.create_registered_model(name)
    with connect("test", pipeline_url) as connection:

        def note(run_id, number, event):
            record_event(connection, dag_id="d", run_id=run_id, model_name=name, model_version=number, event=event)

        for number, run_id in (("1", "r1"), ("2", "r2"), ("3", None), ("4", "r4")):
            register(client, name)
            if run_id:
                note(run_id, number, "registered")
            if number == "1":
                note(run_id, number, "promoted")
        client.delete_model_version(name, "2")
        lines = connection.execute("SELECT run_id, happened_at FROM audit.model_events WHERE event = 'registered'").fetchall()
        registered = {line["run_id"]: line["happened_at"] for line in lines}
        names = names_of("x")
        yield SimpleNamespace(name=name, client=client, connection=connection, registered=registered, names=names)
    drop_model(client, names)


def copy(world, task, at, champion=None):
    moment = Moment(dag_id="d", run_id="r4", task=task, at=at, champion=champion)
    create_model(world.client, read_past(world.client, world.connection, world.names, moment), world.names)
    model = world.client.get_registered_model(world.names.model)
    versions = world.client.search_model_versions(f"name = '{world.names.model}'")
    return sorted(int(v.version) for v in versions), {alias: str(number) for alias, number in model.aliases.items()}


def test_the_next_version_gets_the_number_that_it_got(world):
    versions, aliases = copy(world, "train", world.registered["r4"])
    assert (versions, aliases) == ([1, 3], {"production": "1"})
    run = world.client.create_run(world.client.get_experiment_by_name(world.names.experiment).experiment_id)
    following = world.client.create_model_version(world.names.model, f"{run.info.artifact_uri}/model", run.info.run_id)
    assert str(following.version) == "4"


def test_files_are_those_of_the_version_and_lie_in_a_run_of_the_copy(world):
    copy(world, "train", world.registered["r4"])
    real, copied = (world.client.get_model_version(name, "1") for name in (world.name, world.names.model))
    assert copied.run_id != real.run_id
    assert load_text(f"models:/{world.names.model}/1/weights") == f"files of {real.run_id}"


def test_what_the_decision_found_in_production_wins_over_the_ledger(world):
    assert copy(world, "assess", world.registered["r4"], champion="3")[1] == {"production": "3"}


def test_a_decision_that_found_nothing_in_production_wins_too(world):
    assert copy(world, "assess", world.registered["r4"], champion="")[1] == {}


def test_an_alias_moved_by_hand_is_seen_if_nothing_has_happened_since(world):
    world.client.set_registered_model_alias(world.name, "production", "3")
    later = world.registered["r4"] + timedelta(seconds=1)
    assert copy(world, "evaluate", later) == ([1, 3, 4], {"production": "3"})


def test_a_training_that_was_killed_after_it_registered_is_not_there(world):
    """MLflow holds the version, the ledger does not: the step that left it behind begins without it."""
    register(world.client, world.name, {"ct.dag_id": "d", "ct.dag_run_id": "r4"})
    later = world.registered["r4"] + timedelta(minutes=5)
    assert copy(world, "train", later)[0] == [1, 3, 4]


@pytest.mark.parametrize("renamed_only", [False, True])
def test_a_dropped_copy_leaves_its_name_free(world, renamed_only):
    copy(world, "train", world.registered["r4"])
    experiment = world.client.get_experiment_by_name(world.names.experiment)
    if renamed_only:  # a drop that was killed between two calls
        world.client.delete_registered_model(world.names.model)
        world.client.rename_experiment(experiment.experiment_id, f"{world.names.experiment}.dropped-{experiment.experiment_id}")
    assert drop_model(world.client, world.names)
    assert not drop_model(world.client, world.names)
    assert world.client.get_experiment(experiment.experiment_id).lifecycle_stage == "deleted"
    assert copy(world, "train", world.registered["r4"])[0] == [1, 3]
