# ruff: noqa: E501 - statements read better in one piece
"""What a stream leaves behind, as plain values that two runs of it can be compared by."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

QUERIES = {
    "batches": "SELECT batch_number, row_count, body_bytes, body_sha256, schema_seen FROM raw.batches ORDER BY 1",
    "raw rows": """
        SELECT b.batch_number, count(*) AS rows, count(DISTINCT row_number) AS numbers, sum(price) AS price, sum(house_size) AS size
          FROM raw.listings JOIN raw.batches AS b USING (batch_id) GROUP BY 1 ORDER BY 1""",
    "validations": """
        SELECT b.batch_number, accepted, schema_changes, new_categories, jsonb_array_length(expectations) AS expectations
          FROM audit.validations JOIN raw.batches AS b USING (batch_id) ORDER BY 1""",
    "clean": """
        SELECT b.batch_number, rows_in, rows_accepted, rows_new, rows_relisted, rows_quarantined, rows_by_split, digest
          FROM clean.batches JOIN raw.batches AS b USING (batch_id) ORDER BY 1""",
    "clean rows": """
        SELECT b.batch_number, split, count(*) AS rows, sum(price) AS price
          FROM clean.listings JOIN raw.batches AS b USING (batch_id) GROUP BY 1, 2 ORDER BY 1, 2""",
    "quarantine": """
        SELECT b.batch_number, rule, count(*) AS rows
          FROM clean.quarantine JOIN raw.batches AS b USING (batch_id) GROUP BY 1, 2 ORDER BY 1, 2""",
    "decisions": """
        SELECT b.batch_number, kind, outcome, code, policy_name, policy_version, policy_digest, champion_version, challenger_version
          FROM audit.decisions AS d LEFT JOIN raw.batches AS b USING (batch_id) ORDER BY 1 NULLS LAST, 2""",
    "signals": """
        SELECT b.batch_number, position, name, feature, value, ci_low, ci_high, threshold, verdict
          FROM audit.signals JOIN audit.decisions USING (decision_id) JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2""",
    "gates": """
        SELECT b.batch_number, position, name, g.code, threshold, verdict,  -- of the machine, and of the length of the model's name
               CASE WHEN name NOT IN ('load_seconds', 'latency', 'memory', 'artifact_size') THEN value END AS value, ci_low, ci_high
          FROM audit.gates AS g JOIN audit.decisions USING (decision_id) JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2""",
    "evaluations": """
        SELECT b.batch_number, role, dataset, dataset_digest, model_version, e.row_count, metrics
          FROM audit.evaluations AS e JOIN audit.decisions USING (decision_id) JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2, 3""",
    "steps": "SELECT b.batch_number, step FROM audit.steps JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2",
    "fixed sets": """
        SELECT b.batch_number, set_digest, f.row_count, area_count, background
          FROM audit.fixed_sets AS f JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2""",
    "version scores": """
        SELECT set_digest, model_version, dimension, slice, s.row_count, s.area_count, unsound, metrics, problem
          FROM audit.version_scores AS s JOIN audit.fixed_sets AS f USING (set_digest) JOIN raw.batches AS b USING (batch_id)
         ORDER BY b.batch_number, 1, 2, 3, 4""",
    "explanations": """
        SELECT set_digest, model_version, columns, base, cardinality(contributions) AS numbers, seed_noise, problem,
               (SELECT sum(abs(value)) FROM unnest(contributions) AS value) AS size
          FROM audit.explanations JOIN audit.fixed_sets AS f USING (set_digest) JOIN raw.batches AS b USING (batch_id)
         ORDER BY b.batch_number, 1, 2""",
    "diagnostics": """
        SELECT b.batch_number, role, d.kind, model_version, d.row_count, content
          FROM audit.diagnostics AS d JOIN audit.decisions USING (decision_id) JOIN raw.batches AS b USING (batch_id) ORDER BY 1, 2, 3""",
    "ledger": "SELECT model_name, model_version, event, count(*) AS lines FROM audit.model_events GROUP BY 1, 2, 3 ORDER BY 2, 3",
}

REGISTRY = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient()
name = sys.argv[1]
model = client.get_registered_model(name)
versions = client.search_model_versions(f"name = '{name}'")
json.dump({
    "aliases": {alias: str(version) for alias, version in model.aliases.items()},
    "versions": {str(v.version): {k: v.tags.get(k) for k in ("ct.decision", "ct.reason_code", "ct.batch_id", "stage")} for v in versions},
}, sys.stdout)
"""


def read_database(url: str) -> dict[str, list[dict[str, Any]]]:
    """The tables that a stream fills, without ids and times, which differ from run to run."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


def read_registry(python: Path, tracking_uri: str, model_name: str = "house-prices") -> dict[str, Any]:
    """Aliases and versions of the registered model, by the MLflow client of the environment ``python`` belongs to."""
    done = subprocess.run(
        [str(python), "-c", REGISTRY, model_name],
        env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri, "MLFLOW_REGISTRY_URI": tracking_uri},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    state: dict[str, Any] = json.loads(done.stdout)
    return state


def assert_same(found: Any, expected: Any) -> None:
    """Equal field by field, numbers to nine digits."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs)
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12), (found, expected)
    else:
        assert found == expected
