"""Train a challenger on every batch of CLEAN, log it to MLflow and register it, once for each DAG run."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
from ct_contract import BadDataError, TaskInput, TaskResult, TryLaterError
from ct_decisions.reasons import render
from ct_store.connection import Connection, connect
from ct_store.ledger import record_event, with_evidence
from house_prices.frames import frame_digest, read_listings
from house_prices.metrics import metrics
from house_prices.model import RAW_COLUMNS
from mlflow.exceptions import MlflowException

from ct_train.fitting import Outcome, TooFewRowsError, fit
from ct_train.report import write_report
from ct_train.tracking import Registered, Tracker, log_values

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "calibration", "test")


def train(payload: TaskInput) -> TaskResult:
    """Register a version of the model, alias ``challenger``, or find the one that this DAG run has registered.

    Raises BadDataError if the retrain decision is unknown or CLEAN holds too few rows, TryLaterError if MLflow is away.
    """
    batch_id: int = payload.require("batch_id", int)
    decision_id: str = payload.require("retrain_decision_id", str)
    try:
        tracker = Tracker(payload)
        registered = tracker.registered()
        with connect("train") as connection:
            decision = _decision(connection, decision_id)
            if registered is None:
                registered = _train(connection, payload, tracker, decision)
            else:
                log.info("this DAG run has registered version %s before; nothing is trained again", registered.version)
        tracker.client.set_registered_model_alias(tracker.name, "challenger", registered.version)
        _note(payload, tracker, registered, decision_id)
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


def _train(connection: Connection, payload: TaskInput, tracker: Tracker, decision: Mapping[str, Any]) -> Registered:
    seed = int(os.environ.get("CT_SEED") or 0)
    frame = read_listings(connection)
    batches = connection.execute(
        "SELECT batch_id, batch_number, body_sha256, digest FROM clean.batches JOIN raw.batches USING (batch_id) "
        "ORDER BY batch_id"
    ).fetchall()
    with tempfile.TemporaryDirectory(prefix="ct-train-") as scratch:
        try:
            outcome = fit(frame, _made(Path(scratch) / "model"), seed)
        except TooFewRowsError as error:
            raise BadDataError("TOO_FEW_ROWS", f"{error}. Nothing was trained; more batches are needed.") from error
        values = _scores(outcome, frame)
        return _register(
            tracker, decision, outcome, values, frame=frame, batches=batches, report=Path(scratch) / "report", seed=seed
        )


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _scores(outcome: Outcome, frame: pd.DataFrame) -> dict[str, float]:
    predicted = outcome.model.predict(frame)
    values: dict[str, float] = {}
    for split in SPLITS:
        inside = (frame["split"] == split).to_numpy()
        found = metrics(frame.loc[inside, "price"].to_numpy(), predicted[inside])
        values |= {f"{split}_{name}": value for name, value in found.items()}
    return values


def _register(
    tracker: Tracker,
    decision: Mapping[str, Any],
    outcome: Outcome,
    values: Mapping[str, float],
    *,
    frame: pd.DataFrame,
    batches: list[dict[str, Any]],
    report: Path,
    seed: int,
) -> Registered:
    test = frame[frame["split"] == "test"].reset_index(drop=True)
    tags = {
        "ct.batch_id": str(decision["batch_id"]),
        "ct.batch_ids": ",".join(str(batch["batch_id"]) for batch in batches),
        "ct.retrain_decision_id": str(decision["decision_id"]),
        "ct.retrain_reason": decision["code"],
        "ct.retrain_text": render(decision, "en"),
        "ct.policy": f"{decision['policy_name']} {decision['policy_version']} {decision['policy_digest']}",
        "ct.git_sha": os.environ.get("CT_CODE_VERSION") or "unknown",
        "ct.image": os.environ.get("CT_IMAGE") or "none",
        "ct.seed": str(seed),
        "ct.learner": outcome.chosen.name,
        "ct.train_digest": frame_digest(frame[frame["split"] == "train"].reset_index(drop=True)),
        "ct.test_digest": frame_digest(test),
    }
    run_id = tracker.start(tags)
    parameters = {"learner": outcome.chosen.name, "iterations": outcome.chosen.iterations, "rows": len(frame)}
    for candidate in outcome.candidates:
        parameters |= {f"{candidate.name}.{name}": value for name, value in candidate.parameters.items()}
    rivals = {f"validation_error_{candidate.name}": candidate.validation_error for candidate in outcome.candidates}
    log_values(tracker.client, run_id, parameters, {**values, **rivals})
    reliance = write_report(outcome.model, test, report, seed)
    (report / "data.json").write_text(
        json.dumps(
            {"batches": batches, "rows_by_split": frame["split"].value_counts().to_dict(), "digests": tags["ct.train_digest"]}
        )
    )
    (report / "profile.json").write_text(json.dumps(profile(frame[frame["split"] == "train"])))
    tracker.client.log_artifacts(run_id, str(report), "report")
    log.info("the model relies on %s", ", ".join(f"{name} {share:.0%}" for name, share in list(reliance.items())[:4]))
    example = example_of(frame)
    logged = tracker.log_model(run_id, outcome.directory, example, outcome.chosen.name)
    version = tracker.register(run_id, logged, tags, tags["ct.retrain_text"])
    tracker.finish(run_id)
    return Registered(version, run_id, values, outcome.chosen.name)


def example_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Three rows as a client sends them."""
    rows = frame[list(RAW_COLUMNS)].head(3).copy()
    for name in rows.columns:
        if isinstance(rows[name].dtype, pd.CategoricalDtype):
            rows[name] = rows[name].astype(object)
    return rows.reset_index(drop=True)


def profile(frame: pd.DataFrame) -> dict[str, Any]:
    """What the training rows look like, so that later rows can be compared: quantiles and shares of the largest values."""
    quantiles = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]
    numbers = ("price", "bed", "bath", "acre_lot", "house_size")
    described: dict[str, Any] = {
        name: {str(q): float(value) for q, value in frame[name].quantile(quantiles).dropna().items()} for name in numbers
    }
    for name in ("status", "state"):
        described[name] = {
            str(key): float(value) for key, value in frame[name].value_counts(normalize=True).items() if value > 0
        }
    return {"rows": len(frame), "columns": described}


def _note(payload: TaskInput, tracker: Tracker, registered: Registered, decision_id: str) -> None:
    with connect("train") as connection:
        record_event(
            connection,
            dag_id=payload.dag_id,
            run_id=payload.run_id,
            model_name=tracker.name,
            model_version=registered.version,
            event="registered",
            decision_id=decision_id,
            details={"mlflow_run_id": registered.run_id, "learner": registered.learner},
        )
