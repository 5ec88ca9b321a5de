"""The copy's registered model: the same version numbers, each with an MLflow run of its own.

A step writes to the run of the version that it judges, so a copy that shared the run would change the real one.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ct_contract import ContractError
from ct_decisions.registry import PRODUCTION
from ct_decisions.standing import Standing, standing
from ct_store.connection import Connection
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric, Param
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ct_scratch.moment import Moment
from ct_scratch.names import Names
from ct_scratch.standing import description_and_tags

log = logging.getLogger(__name__)

SOURCE_TAG = "ct.scratch_of"
"""On a copied run: the run that it was copied from."""


@dataclass(frozen=True)
class Past:
    """The registered model at a moment: versions in their order, how they stood, and the last number that was given out."""

    versions: list[ModelVersion]
    then: Standing
    last_number: int


def open_client() -> MlflowClient:
    """A client of the tracking server. Raises ContractError if MLFLOW_TRACKING_URI is not set."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise ContractError("no MLflow: set MLFLOW_TRACKING_URI to a URL like http://mlflow:5000")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a log is no terminal
    # Files come through MLflow: the object store's address is MLflow's own, and need not be reachable from here.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    return MlflowClient()


def read_past(client: MlflowClient, source: Connection, names: Names, moment: Moment) -> Past:
    """Find out which versions there were, and which aliases pointed to them.

    A version was there if the ledger had it registered or, for one that the ledger never knew, by MLflow's own clock. The
    aliases are MLflow's own if the ledger has gone no further since, otherwise the ledger's; the run's decision, which
    holds the version that was in production when it was made, wins over both.
    """
    events = source.execute(
        "SELECT model_version, event, details, dag_id, run_id, happened_at < %s AS was_there FROM audit.model_events "
        "WHERE model_name = %s ORDER BY event_id",
        (moment.at, names.real_model),
    ).fetchall()
    then = standing(event for event in events if event["was_there"])
    ever = {event["model_version"] for event in events if event["event"] == "registered"}
    if all(event["was_there"] for event in events):
        then.aliases = _aliases(client, names.real_model)
    if moment.champion is not None:
        then.aliases.pop(PRODUCTION, None)
        if moment.champion:
            then.aliases[PRODUCTION] = moment.champion
    every = sorted(_pages(client.search_model_versions, f"name = '{names.real_model}'"), key=lambda found: int(found.version))
    versions = [found for found in every if _was_there(found, then, ever, moment)]
    own = [int(event["model_version"]) for event in events if _is_own(event, moment)]
    # The run's own version, if it comes later, is to get the number that it got.
    last = max([int(found.version) for found in versions] + [number - 1 for number in own], default=0)
    return Past(versions, then, last)


def _is_own(event: dict[str, Any], moment: Moment) -> bool:
    return event["event"] == "registered" and (event["dag_id"], event["run_id"]) == (moment.dag_id, moment.run_id)


def _was_there(found: ModelVersion, then: Standing, ever: set[str], moment: Moment) -> bool:
    number = str(found.version)
    if number in then.registered:
        return True
    is_own = (found.tags.get("ct.dag_id"), found.tags.get("ct.dag_run_id")) == (moment.dag_id, moment.run_id)
    if number in ever or (is_own and not moment.is_trained):
        return False
    return datetime.fromtimestamp(found.creation_timestamp / 1000, moment.at.tzinfo) < moment.at


def _aliases(client: MlflowClient, model: str) -> dict[str, str]:
    try:
        found = client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: str(number) for alias, number in found.aliases.items()}


def _pages(search: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(*arguments, page_token=token)
        yield from page
        if not (token := page.token):
            return


def create_model(client: MlflowClient, past: Past, names: Names) -> None:
    """Register the copy of the model with its versions, aliases and experiment.

    The files of a version, and the documents of its run, are copied if an alias pointed to it: only those are ever loaded by
    a step, and MLflow does not let two models share files without noting it in the first.
    """
    experiment_id = client.create_experiment(names.experiment)
    client.create_registered_model(names.model, description=f"Scratch copy of {names.real_model}.")
    by_number = {int(found.version): found for found in past.versions}
    for number in range(1, past.last_number + 1):
        if number in by_number:
            _copy_version(client, by_number[number], past.then, names, experiment_id)
        else:
            _skip_number(client, names, experiment_id, number)
    for alias, version in past.then.aliases.items():
        if int(version) in by_number:
            client.set_registered_model_alias(names.model, alias, version)
        else:
            log.warning("the alias %s pointed to version %s, which MLflow no longer holds", alias, version)


def _copy_version(client: MlflowClient, found: ModelVersion, then: Standing, names: Names, experiment_id: str) -> None:
    number = str(found.version)
    run_id, address = _copy_run(client, found, experiment_id)
    if has_files := number in then.aliases.values():
        with tempfile.TemporaryDirectory(prefix="ct-scratch-") as directory:
            files = download_artifacts(artifact_uri=f"models:/{names.real_model}/{number}", dst_path=directory)
            client.log_artifacts(run_id, files, "model")
        if found.run_id:
            _copy_documents(client, found.run_id, run_id)
    description, tags = description_and_tags(found.description or "", found.tags, number, then)
    copy = client.create_model_version(
        names.model, f"{address}/model", run_id, tags=tags, description=description, await_creation_for=0
    )
    _check(copy, number)
    log.info("version %s copied%s", number, " with its files" if has_files else "")


def _copy_run(client: MlflowClient, found: ModelVersion, experiment_id: str) -> tuple[str, str]:
    """A run with the tags, parameters and metrics of the version's run; its id and the address of its files."""
    if not found.run_id:
        run = client.create_run(experiment_id)
    else:
        data = client.get_run(found.run_id)
        tags = {key: value for key, value in data.data.tags.items() if not key.startswith("mlflow.")}
        run = client.create_run(experiment_id, tags={**tags, SOURCE_TAG: found.run_id}, run_name=data.info.run_name)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, data.info.end_time or 0, 0) for name, value in data.data.metrics.items()],
            params=[Param(name, value) for name, value in data.data.params.items()],
        )
    client.set_terminated(run.info.run_id)
    return run.info.run_id, run.info.artifact_uri


def _copy_documents(client: MlflowClient, run_id: str, copy_id: str) -> None:
    """What a training wrote down of its model beside it, as JSON: steps read it with the model."""
    for file in client.list_artifacts(run_id):
        if not file.is_dir and file.path.endswith(".json"):
            with tempfile.TemporaryDirectory(prefix="ct-scratch-") as directory:
                client.log_artifact(copy_id, client.download_artifacts(run_id, file.path, directory))


def _skip_number(client: MlflowClient, names: Names, experiment_id: str, number: int) -> None:
    """Use up a number that the real model does not have either; MLflow gives out none twice."""
    run = client.create_run(experiment_id, run_name=f"version {number} was not there")
    copy = client.create_model_version(names.model, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0)
    _check(copy, str(number))
    client.delete_model_version(names.model, str(number))
    client.delete_run(run.info.run_id)


def _check(copy: ModelVersion, number: str) -> None:
    if str(copy.version) != number:
        raise RuntimeError(
            f"MLflow gave the copy of version {number} the number {copy.version}: does another program write there?"
        )


def drop_model(client: MlflowClient, names: Names) -> bool:
    """Remove the copy's registered model and experiment; whether there was either.

    MLflow keeps a deleted experiment's name until ``mlflow gc``, so it is given another one first.
    """
    gone = False
    try:
        client.delete_registered_model(names.model)
        gone = True
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    # A dot is in no copy's name, so this finds the experiment and one that a killed drop has renamed.
    dropped = f"{names.experiment}.dropped-"
    for experiment in _pages(_search_experiments(client, names.experiment)):
        if experiment.name == names.experiment:
            client.rename_experiment(experiment.experiment_id, f"{dropped}{experiment.experiment_id}")
        elif not experiment.name.startswith(dropped):
            continue
        client.delete_experiment(experiment.experiment_id)
        gone = True
    return gone


def _search_experiments(client: MlflowClient, prefix: str) -> Callable[..., Any]:
    def search(page_token: str | None) -> Any:
        return client.search_experiments(filter_string=f"name LIKE '{prefix}%'", page_token=page_token)

    return search
