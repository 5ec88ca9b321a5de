"""Train a challenger on every batch of CLEAN, log it to MLflow and register it, once for each DAG run."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
from ct_contract import BadDataError, TaskInput, TaskResult, TryLaterError
from ct_decisions.reasons import render
from ct_store.connection import Connection, connect
from ct_store.ledger import record_event, record_step, with_evidence
from house_prices.frames import frame_digest, read_listings
from house_prices.metrics import metrics
from house_prices.model import RAW_COLUMNS
from mlflow.exceptions import MlflowException

from ct_train.fitting import Outcome, TooFewRowsError, fit
from ct_train.golden import golden
from ct_train.profile import domain, holdout_errors, profile
from ct_train.reliance_noise import reliance_noise
from ct_train.report import write_report
from ct_train.tracking import Registered, Tracker

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "calibration", "test")


def train(payload: TaskInput) -> TaskResult:
    """Register a version of the model, alias ``challenger``, or find the one that this DAG run has registered.

    It learns from the batches up to the given one: a later try of the same run sees the same rows. Raises BadDataError if
    the decision or the batch is unknown or CLEAN holds too few rows, TryLaterError if MLflow is away.
    """
    batch_id: int = payload.require("batch_id", int)
    decision_id: str = payload.require("retrain_decision_id", str)
    try:
        tracker = Tracker(payload)
        registered = tracker.registered()
        if registered is None:
            with connect("train") as connection:
                decision = _decision(connection, decision_id)
                data = _read(connection, batch_id)
            registered = _train(tracker, decision, data)
        else:
            log.info("this DAG run has registered version %s before; nothing is trained again", registered.version)
        tracker.finish(registered.run_id)
        tracker.client.set_registered_model_alias(tracker.name, "challenger", registered.version)
        _note(payload, tracker, registered, decision_id, batch_id)
    except MlflowException as error:
        raise TryLaterError("MLFLOW_UNAVAILABLE", f"MLflow did not answer: {error}. Nothing was registered twice.") from error
    values = {name.removeprefix("test_"): value for name, value in registered.metrics.items() if name.startswith("test_")}
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="TRAINED",
        reason=_sentence(registered, values),
        summary={
            "batch_id": batch_id,
            "model_name": tracker.name,
            "model_version": registered.version,
            "mlflow_run_id": registered.run_id,
            "learner": registered.learner,
            "metrics": {name: values[name] for name in ("mae", "mdape", "r2_log", "coverage") if name in values},
        },
        links={"mlflow_run": registered.link} if registered.link else {},
    )


def _sentence(registered: Registered, values: Mapping[str, float]) -> str:
    if "mae" not in values:
        return f"Version {registered.version} was trained ({registered.learner})."
    return (
        f"Version {registered.version} was trained ({registered.learner}): on the hold-out its MAE is "
        f"{values['mae']:,.0f} dollars and its median error {values['mdape']:.1%}."
    )


def _decision(connection: Connection, decision_id: str) -> dict[str, Any]:
    try:
        key = UUID(decision_id)
    except ValueError:
        key = None
    row = connection.execute("SELECT * FROM audit.decisions WHERE decision_id = %s", (key,)).fetchone()
    if row is None or row["outcome"] != "train":
        raise BadDataError("UNKNOWN_DECISION", f"there is no decision {decision_id!r} to train; run assess first")
    return with_evidence(connection, row)


@dataclass(frozen=True)
class Data:
    """The listings up to a batch, and the batches that they came in."""

    frame: pd.DataFrame
    batches: list[dict[str, Any]]


def _read(connection: Connection, batch_id: int) -> Data:
    batches = connection.execute(
        "SELECT batch_id, batch_number, body_sha256, digest FROM clean.batches JOIN raw.batches USING (batch_id) "
        "WHERE batch_id <= %s ORDER BY batch_id",
        (batch_id,),
    ).fetchall()
    numbers = [batch["batch_id"] for batch in batches]
    if batch_id not in numbers:
        raise BadDataError("UNKNOWN_BATCH", f"CLEAN does not hold batch {batch_id}: run clean first. Nothing was trained.")
    return Data(read_listings(connection, batch_ids=numbers), batches)


def _train(tracker: Tracker, decision: Mapping[str, Any], data: Data) -> Registered:
    seed = int(os.environ.get("CT_SEED") or 0)
    with tempfile.TemporaryDirectory(prefix="ct-train-") as scratch:
        try:
            outcome = fit(data.frame, _made(Path(scratch) / "model"), seed)
        except TooFewRowsError as error:
            raise BadDataError("TOO_FEW_ROWS", f"{error}. Nothing was trained; more batches are needed.") from error
        return _register(tracker, decision, outcome, data, report=_made(Path(scratch) / "report"), seed=seed)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _scores(frame: pd.DataFrame, predicted: pd.DataFrame) -> dict[str, float]:
    values: dict[str, float] = {}
    for split in SPLITS:
        inside = (frame["split"] == split).to_numpy()
        found = metrics(frame.loc[inside, "price"].to_numpy(), predicted[inside])
        values |= {f"{split}_{name}": value for name, value in found.items()}
    return values


def _register(
    tracker: Tracker, decision: Mapping[str, Any], outcome: Outcome, data: Data, *, report: Path, seed: int
) -> Registered:
    parts = {split: data.frame[data.frame["split"] == split] for split in SPLITS}
    predicted = outcome.model.predict(data.frame)
    # The validation and the calibration homes are answered as if they were new, whether or not the model learnt from them.
    values = _scores(data.frame, pd.concat([predicted.drop(outcome.unseen.index), outcome.unseen]).loc[data.frame.index])
    digests = {split: frame_digest(part) for split, part in parts.items()}
    tags = _tags(decision, data, digests) | {"ct.seed": str(seed), "ct.learner": outcome.chosen.name}
    tags["ct.learnt_from"] = ",".join(outcome.learnt_from)
    run = tracker.start(tags)
    parameters = {"learner": outcome.chosen.name, "iterations": outcome.chosen.iterations, "rows": len(data.frame)}
    for candidate in outcome.candidates:
        parameters |= {f"{candidate.name}.{name}": value for name, value in candidate.parameters.items()}
    rivals = {f"validation_error_{candidate.name}": candidate.validation_error for candidate in outcome.candidates}
    tracker.log_values(run, parameters, {**values, **rivals})
    tracker.log_data(run, digests, {split: len(part) for split, part in parts.items()})
    reliance = write_report(outcome.model, parts["test"], predicted.loc[parts["test"].index], report, seed)
    log.info("the model relies on %s", ", ".join(f"{name} {share:.0%}" for name, share in list(reliance.items())[:4]))
    learnt = pd.concat([parts[split] for split in outcome.learnt_from])
    files = {
        report / "batches.json": data.batches,
        report / "reliance_noise.json": reliance_noise(outcome, learnt, parts["test"]),
        report / "golden.json": golden(outcome.model, parts["test"]),
        _made(report / "reference") / "profile.json": profile(parts["train"]),
        report / "reference" / "holdout_errors.json": holdout_errors(parts["test"], predicted.loc[parts["test"].index]),
        outcome.directory / "domain.json": domain(learnt),
    }
    for path, content in files.items():
        path.write_text(json.dumps(content), encoding="utf-8")
    tracker.client.log_artifacts(run.info.run_id, str(report))
    logged = tracker.log_model(run, outcome.directory, example_of(data.frame), outcome.chosen.name)
    version = tracker.register(run, logged, tags, tags["ct.retrain_text"])
    return Registered(version, run.info.run_id, values, outcome.chosen.name, tags, tracker.link(run))


def _tags(decision: Mapping[str, Any], data: Data, digests: Mapping[str, str]) -> dict[str, str]:
    """Where a version comes from: decision, policy, rows and code."""
    return {
        "ct.batch_id": str(decision["batch_id"]),
        "ct.batch_ids": ",".join(str(batch["batch_id"]) for batch in data.batches),
        "ct.retrain_decision_id": str(decision["decision_id"]),
        "ct.retrain_reason": decision["code"],
        "ct.retrain_text": render(decision, "en"),
        "ct.policy": f"{decision['policy_name']} {decision['policy_version']} {decision['policy_digest']}",
        "ct.git_sha": os.environ.get("CT_CODE_VERSION") or "unknown",
        "ct.image": os.environ.get("CT_IMAGE") or "none",
        **{f"ct.{split}_digest": digest for split, digest in digests.items()},
    }


def example_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Three rows as a client sends them."""
    rows = frame[list(RAW_COLUMNS)].head(3).copy()
    for name in rows.columns:
        if isinstance(rows[name].dtype, pd.CategoricalDtype):
            rows[name] = rows[name].astype(object)
    return rows.reset_index(drop=True)


def _note(payload: TaskInput, tracker: Tracker, registered: Registered, decision_id: str, batch_id: int) -> None:
    with connect("train") as connection:
        record_event(
            connection,
            dag_id=payload.dag_id,
            run_id=payload.run_id,
            model_name=tracker.name,
            model_version=registered.version,
            event="registered",
            decision_id=decision_id,
            details={"mlflow_run_id": registered.run_id, "learner": registered.learner, **_origin(registered.tags)},
        )
        record_step(connection, dag_id=payload.dag_id, run_id=payload.run_id, step="train", batch_id=batch_id)


def _origin(tags: Mapping[str, str]) -> dict[str, Any]:
    """What the ledger says of where a version comes from, from its tags: so one query finds it, both ways."""
    return {
        "batch_ids": [int(batch) for batch in tags.get("ct.batch_ids", "").split(",") if batch],
        "data_digests": {split: tags[f"ct.{split}_digest"] for split in SPLITS if f"ct.{split}_digest" in tags},
        **{name: tags[f"ct.{name}"] for name in ("git_sha", "image", "seed", "learnt_from") if f"ct.{name}" in tags},
    }
