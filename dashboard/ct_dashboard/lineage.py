"""Where a model version comes from and where it stands: batch, validation, data, training, decision, alias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ct_store.connection import connect

from ct_dashboard.text import Text


@dataclass(frozen=True)
class Line:
    """One version's line of origin; what was not recorded is None. Digests are shown by their first characters."""

    version: str
    stream: str | None
    batch_number: int | None
    batch_id: int | None
    rows: int | None
    body_digest: str | None
    suite: str | None
    accepted: bool | None
    clean_digest: str | None
    clean_rows: int | None
    batches: int
    dag_id: str
    run_id: str
    mlflow_run_id: str | None
    learner: str | None
    retrain_code: str | None
    promotion_code: str | None
    promotion_outcome: str | None
    policy: str | None
    in_production: bool
    image: str | None = None
    code_version: str | None = None


_LINE = """
SELECT registered.dag_id, registered.run_id, registered.details, batch.batch_id, batch.stream, batch.batch_number,
       batch.row_count, batch.body_sha256, validation.suite_name, validation.suite_version, validation.accepted,
       cleaned.digest, cleaned.rows_accepted,
       (SELECT count(*)::integer FROM clean.batches AS other WHERE other.batch_id <= batch.batch_id) AS batches,
       retrain.code AS retrain_code, retrain.policy_name, retrain.policy_version, promotion.code AS promotion_code,
       promotion.outcome AS promotion_outcome,
       (SELECT model_version FROM audit.model_events WHERE event IN ('promoted', 'rolled_back', 'alias_moved_by_hand')
           AND model_name = registered.model_name ORDER BY event_id DESC LIMIT 1) AS champion
  FROM audit.model_events AS registered
  LEFT JOIN raw.batches AS batch USING (dag_id, run_id)
  LEFT JOIN audit.validations AS validation ON validation.batch_id = batch.batch_id
  LEFT JOIN clean.batches AS cleaned ON cleaned.batch_id = batch.batch_id
  LEFT JOIN audit.decisions AS retrain
    ON (retrain.dag_id, retrain.run_id, retrain.kind) = (registered.dag_id, registered.run_id, 'retrain')
  LEFT JOIN audit.decisions AS promotion
    ON (promotion.dag_id, promotion.run_id, promotion.kind) = (registered.dag_id, registered.run_id, 'promotion')
 WHERE (registered.model_name, registered.model_version) = (%s, %s)
   AND registered.event IN ('registered', 'promotion_decided', 'promoted', 'rejected')
 ORDER BY registered.event = 'registered' DESC, registered.event_id LIMIT 1
"""


def read_line(url: str, model_name: str, version: str) -> Line | None:
    """The line of a model's version, or None if the ledger does not know it. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        row = connection.execute(_LINE, (model_name, version)).fetchone()
    if row is None:
        return None
    details: Mapping[str, Any] = row["details"] or {}
    return Line(
        version=version,
        stream=row["stream"],
        batch_number=row["batch_number"],
        batch_id=row["batch_id"],
        rows=row["row_count"],
        body_digest=row["body_sha256"],
        suite=None if row["suite_name"] is None else f"{row['suite_name']} {row['suite_version']}",
        accepted=row["accepted"],
        clean_digest=row["digest"],
        clean_rows=row["rows_accepted"],
        batches=row["batches"],
        dag_id=row["dag_id"],
        run_id=row["run_id"],
        mlflow_run_id=details.get("mlflow_run_id"),
        learner=details.get("learner"),
        retrain_code=row["retrain_code"],
        promotion_code=row["promotion_code"],
        promotion_outcome=row["promotion_outcome"],
        policy=None if row["policy_name"] is None else f"{row['policy_name']} {row['policy_version']}",
        in_production=row["champion"] == version,
    )


def with_tags(line: Line, tags: Mapping[str, str]) -> Line:
    """The line with image and code version as the tags of the version in MLflow name them."""
    image, code = tags.get("ct.image", "none"), tags.get("ct.git_sha", "unknown")
    return replace(line, image=None if image == "none" else image, code_version=None if code == "unknown" else code[:12])


def steps(line: Line, text: Text) -> list[tuple[str, str]]:
    """The line as pairs of what it is and what it was, in order: the nodes of the graph."""
    found = [
        ("batch", _joined(line.stream, None if line.batch_number is None else text("data.batch", number=line.batch_number),
                          None if line.rows is None else text("comparison.rows", rows=text.number(line.rows)),
                          _short(line.body_digest))),
        ("suite", _joined(line.suite, None if line.accepted is None else
                          text("quality.accepted" if line.accepted else "quality.refused"))),
        ("data", _joined(_batches(line.batches, text),
                         None if line.clean_rows is None else text("comparison.rows", rows=text.number(line.clean_rows)),
                         _short(line.clean_digest))),
        ("reason", _joined(line.retrain_code, line.policy)),
        ("run", _joined(_short(line.mlflow_run_id), line.learner)),
        ("version", text("history.version", version=line.version)),
        ("decision", line.promotion_code or ""),
        ("alias", _alias(line, text)),
        ("image", _joined(line.image, line.code_version)),
    ]  # fmt: skip
    return [(name, value) for name, value in found if value]


def _batches(count: int, text: Text) -> str | None:
    if not count:
        return None
    return text("lineage.one_batches") if count == 1 else text("lineage.batches", count=count)


def _alias(line: Line, text: Text) -> str:
    if line.in_production:
        return text("lineage.production")
    return text("lineage.was_promoted" if line.promotion_outcome == "promote" else "lineage.never")


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)


def _short(digest: str | None) -> str | None:
    return None if digest is None else digest[:10]
