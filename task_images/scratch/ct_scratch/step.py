"""The scratch task: make a copy of database and registry as they were before a step, or drop it."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from ct_contract import ContractError, TaskInput, TaskResult, TryLaterError
from ct_decisions.registry import MODEL_VARIABLE, unavailable
from ct_store.connection import NAME_VARIABLE, Connection, connect
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ct_scratch.database import administration, create_database, drop_database
from ct_scratch.moment import Moment, find_moment
from ct_scratch.names import EXPERIMENT_VARIABLE, Names, names_of
from ct_scratch.registry import create_model, drop_model, open_client, read_past

log = logging.getLogger(__name__)


def scratch(payload: TaskInput) -> TaskResult:
    """Make the copy that the inputs name, from the beginning, or drop it; both may be repeated and may be killed.

    Raises ContractError for inputs that do not fit, BadDataError for an unknown run, another schema or a name that belongs
    to something else, TryLaterError if PostgreSQL or MLflow is away or the copy is in use.
    """
    verb: str = payload.require("verb", str)
    names = names_of(payload.require("name", str))
    if verb not in ("make", "drop"):
        raise ContractError(f"verb is {verb!r}, expected make or drop")
    client = open_client()
    try:
        with administration(names) as admin:
            return _make(payload, names, client, admin) if verb == "make" else _drop(payload, names, client, admin)
    except MlflowException as error:
        raise unavailable(error) from error
    except psycopg.OperationalError as error:
        raise TryLaterError(
            "DATABASE_UNAVAILABLE", f"PostgreSQL went away: {error}. Nothing real was changed; the next try begins anew."
        ) from error


def _make(payload: TaskInput, names: Names, client: MlflowClient, admin: Connection) -> TaskResult:
    with connect("scratch") as source:
        if source.info.dbname == names.database:
            raise ContractError(f"{names.database} cannot be a copy of itself: choose another name, or unset {NAME_VARIABLE}")
        # One snapshot for the moment, the registry and all tables; nothing can be written by mistake.
        source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        source.read_only = True
        moment = find_moment(
            source,
            dag_id=payload.require("dag_id", str),
            run_id=payload.require("run_id", str),
            task=payload.require("task", str),
        )
        past = read_past(client, source, names, moment)
        _remove(names, client, admin)
        try:
            rows = create_database(admin, source, names, moment)
            create_model(client, past, names)
        except BaseException:
            log.warning("the copy is not whole; what there is of it is removed")
            _remove(names, client, admin)
            raise
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="SCRATCH_MADE",
        reason=_sentence(names, moment, rows, len(past.versions)),
        summary={
            "name": names.name,
            "database": names.database,
            "model_name": names.model,
            "moment": moment.at.isoformat(),
            "rows": rows,
            "env": _environment(names),
        },
    )


def _environment(names: Names) -> dict[str, str]:
    """What a step has to be told beside what it is told anyway."""
    return {NAME_VARIABLE: names.database, MODEL_VARIABLE: names.model, EXPERIMENT_VARIABLE: names.experiment}


def _sentence(names: Names, moment: Moment, rows: dict[str, int], versions: int) -> str:
    sentence = (
        f"{names.database} and {names.model} are as everything was before {moment.task} of run {moment.run_id}: "
        f"{sum(rows.values()):,} rows, {versions} model versions."
    )
    if moment.task == "collect":
        sentence += " The data source is not copied: collect moves the cursor of the real one, unless it is given another."
    return sentence


def _drop(payload: TaskInput, names: Names, client: MlflowClient, admin: Connection) -> TaskResult:
    was_there = _remove(names, client, admin)
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="SCRATCH_DROPPED",
        reason=f"The copy {names.name} is gone." if was_there else f"There was no copy {names.name}.",
        summary={"name": names.name, "database": names.database, "model_name": names.model, "was_there": was_there},
    )


def _remove(names: Names, client: MlflowClient, admin: Connection) -> bool:
    removed: list[Any] = [drop_database(admin, names), drop_model(client, names)]
    return any(removed)
