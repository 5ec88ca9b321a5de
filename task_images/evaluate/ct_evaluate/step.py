"""Evaluate a challenger: score it and the champion now on the same hold-out, judge every gate, record the decision."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ct_contract import BadDataError, TaskInput, TaskResult
from ct_decisions.measurement import measurement
from ct_decisions.once import decide_once
from ct_decisions.policy import load_policy
from ct_decisions.promotion import approval, blast_radius, decide
from ct_decisions.reasons import render
from ct_decisions.reconcile import reconcile
from ct_decisions.registry import PRODUCTION, Registry, Version, unavailable
from ct_decisions.report import question
from ct_decisions.version_notes import publish_report, write_notes
from ct_store.connection import Connection, connect
from ct_store.ledger import record_decision, record_event, record_step
from ct_store.run_evidence import read_run
from house_prices.frames import read_listings

from ct_evaluate.artefact import examine
from ct_evaluate.comparison import HOLD_OUT, Contestants, compare
from ct_evaluate.diagnostics import record_diagnostics
from ct_evaluate.inferences import moved_share, recent_requests
from ct_evaluate.insights import record_insights

log = logging.getLogger(__name__)

BASELINE_COLUMNS = ("price", "house_size", "zip_code", "state")
"""What the baseline needs of the training rows."""


def evaluate(payload: TaskInput) -> TaskResult:
    """Record the run's promotion decision, or find it recorded.

    The summary's ``decision`` is ``promote``, ``reject`` or ``hold``; for a hold its ``question`` is what a person is asked,
    with ``subject`` and ``body`` (Markdown, in both languages). Raises BadDataError if the version or its batches are
    unknown, the champion does not load, or there are no hold-out rows; TryLaterError if MLflow or PostgreSQL is away.
    """
    batch_id: int = payload.require("batch_id", int)
    number: str = payload.require("model_version", str)
    registry = Registry()
    challenger = registry.require(number)
    with connect("evaluate") as connection:
        moved = reconcile(connection, registry, payload)
        decision = decide_once(
            connection, payload, "promotion", lambda: _decide(connection, payload, batch_id, registry, challenger)
        )
        if decision["challenger_version"] != number:
            raise BadDataError(
                "OTHER_CHALLENGER",
                f"this run has decided about version {decision['challenger_version']}, not about version {number}",
            )
        found = read_run(connection, dag_id=payload.dag_id, run_id=payload.run_id)
        connection.commit()
        _publish(registry, challenger, decision, found)
    _keep_insights(registry, challenger, decision, batch_id)
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code=decision["code"],
        reason=render(decision, "en"),
        summary={
            "batch_id": batch_id,
            "decision": decision["outcome"],
            "outcome": decision["outcome"],
            "decision_id": str(decision["decision_id"]),
            "champion_version": decision["champion_version"],
            "challenger_version": number,
            "aliases_moved": moved,
            "reason_es": render(decision, "es"),
            **({"question": question(decision)} if decision["outcome"] == "hold" else {}),
        },
    )


def _decide(connection: Connection, payload: TaskInput, batch_id: int, registry: Registry, challenger: Version) -> None:
    policy = load_policy()
    champion = registry.by_alias(PRODUCTION)
    if champion is not None and champion.number == challenger.number:
        raise BadDataError(
            "ALREADY_CHAMPION", f"version {challenger.number} is in production already, without a decision of this run"
        )
    batches = connection.execute("SELECT batch_id FROM clean.batches WHERE batch_id <= %s", (batch_id,)).fetchall()
    known = [int(row["batch_id"]) for row in batches]
    if batch_id not in known:
        raise BadDataError("BATCH_NOT_CLEANED", f"CLEAN does not hold batch {batch_id}: run clean first. Nothing was decided.")
    if not challenger.batch_ids:
        raise BadDataError(
            "LINEAGE_UNKNOWN",
            f"version {challenger.number} has no tag ct.batch_ids, so the rows it was trained on are not known. "
            "Nothing was decided: let the train step make the challenger.",
        )
    holdout = read_listings(connection, splits=["test"], batch_ids=known)
    if holdout.empty:
        raise BadDataError(
            "NO_HOLDOUT", f"CLEAN holds no hold-out rows up to batch {batch_id}: more data are needed. Nothing was decided."
        )
    champion_model = registry.load(champion) if champion else None
    recent = recent_requests(connection, policy.promotion.blast_rows)
    artefact = examine(
        registry,
        challenger,
        policy.promotion,
        holdout=holdout,
        shared_homes=_shared_homes(connection, known, challenger),
        replayed=recent,
    )
    comparison = compare(
        Contestants(challenger=challenger, challenger_model=artefact.model, champion=champion, champion_model=champion_model),
        holdout=holdout,
        train=read_listings(connection, splits=["train"], batch_ids=challenger.batch_ids, columns=BASELINE_COLUMNS),
        new_batches=[batch for batch in known if champion is None or batch not in champion.batch_ids],
        calibration_rows=_calibration_rows(connection, challenger),
        policy=policy,
    )
    moved = moved_share(artefact.model, champion_model, recent, policy.promotion.blast_move)
    people = [blast_radius(policy.promotion, moved, len(recent)), approval(policy.promotion)]
    gates = [*artefact.gates, *comparison.gates, *people]
    retrain_code = challenger.tags.get("ct.retrain_reason", "")
    verdict = decide(policy.promotion, gates, champion_version=champion.number if champion else None, retrain_code=retrain_code)
    for gate in gates:
        log.info("%s: %s (limit %s): %s", gate.name, gate.value, gate.threshold, gate.verdict)
    number = connection.execute("SELECT batch_number FROM raw.batches WHERE batch_id = %s", (batch_id,)).fetchone()
    decision_id = record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind="promotion",
        outcome=verdict.outcome,
        code=verdict.code,
        batch_id=batch_id,
        policy=policy.identity,
        champion_version=champion.number if champion else None,
        challenger_version=challenger.number,
        facts={
            **verdict.facts,
            "batch_number": number["batch_number"] if number else None,
            "holdout_rows": comparison.rows,
            "compared_rows": comparison.compared,
            "measurement": measurement(policy, "promotion"),
        },
        gates=[gate.as_row() for gate in gates],
        evaluations=comparison.evaluations,
    )
    record_diagnostics(connection, decision_id, comparison.diagnostics)
    record_event(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        model_name=registry.name,
        model_version=challenger.number,
        event="promotion_decided",
        decision_id=decision_id,
        details={"outcome": verdict.outcome, "code": verdict.code},
    )
    record_step(connection, dag_id=payload.dag_id, run_id=payload.run_id, step="evaluate", batch_id=batch_id)


def _shared_homes(connection: Connection, known: list[int], challenger: Version) -> int:
    """Homes of the hold-out that stand in the challenger's training rows too."""
    row = connection.execute(
        "SELECT count(*) AS homes FROM ("
        "SELECT property_key FROM clean.listings WHERE split = 'test' AND batch_id = ANY(%s) INTERSECT "
        "SELECT property_key FROM clean.listings WHERE split = 'train' AND batch_id = ANY(%s)) AS shared",
        (known, challenger.batch_ids),
    ).fetchone()
    return int(row["homes"]) if row else 0


def _calibration_rows(connection: Connection, challenger: Version) -> int:
    row = connection.execute(
        "SELECT count(*) AS rows FROM clean.listings WHERE split = 'calibration' AND batch_id = ANY(%s)",
        (challenger.batch_ids,),
    ).fetchone()
    return int(row["rows"]) if row else 0


def _publish(registry: Registry, challenger: Version, decision: Mapping[str, Any], found: Mapping[str, Any] | None) -> None:
    """Evidence, report and both models' metrics in the challenger's MLflow run. Repeating it changes nothing.

    A version that waits for a person says so itself, until they have answered.
    """
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    metrics = [
        Metric(f"{line['role']}_{name}", value, 0, 0)
        for line in decision["evaluations"]
        if line["dataset"] == HOLD_OUT
        for name, value in line["metrics"].items()
    ]
    evidence = json.dumps(decision, default=str, indent=1)
    try:
        registry.client.log_text(challenger.run_id, evidence, "decision/promotion.json")
        registry.client.log_batch(challenger.run_id, metrics=metrics)
        publish_report(registry, challenger, found)
        if decision["outcome"] == "hold" and not (found and found["approval"]):
            write_notes(registry, challenger, decision, stage="held")
    except MlflowException as error:
        raise unavailable(error) from error


def _keep_insights(registry: Registry, challenger: Version, decision: Mapping[str, Any], batch_id: int) -> None:
    """What the dashboard shows of every version, on the homes that were known when it was decided."""
    champion = decision["champion_version"]
    with connect("evaluate") as connection:
        batches = connection.execute("SELECT batch_id FROM clean.batches WHERE batch_id <= %s", (batch_id,)).fetchall()
        record_insights(
            connection,
            registry,
            batch_id=batch_id,
            batch_ids=[int(row["batch_id"]) for row in batches],
            challenger=challenger,
            champion=registry.by_number(champion) if champion else None,
            confidence=load_policy().bootstrap.confidence,
        )
