"""What MLflow tells of a decision: on the version tags for programs and a description for people, in its run the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ct_decisions.names import LANGUAGES
from ct_decisions.reasons import render
from ct_decisions.registry import Registry, Version
from ct_decisions.report import render_report


def version_tags(decision: Mapping[str, Any], stage: str) -> dict[str, str]:
    """The tags of a decision about a challenger, as `ct_store.ledger` returns it with gates and evaluations."""
    superiority: Mapping[str, Any] = next((gate for gate in decision["gates"] if gate["name"] == "superiority"), {})
    gates = [{key: gate[key] for key in ("name", "verdict", "value", "threshold")} for gate in decision["gates"]]
    digests = {line["dataset_digest"] for line in decision["evaluations"] if line["dataset"] == "hold-out"}
    return {
        "stage": stage,
        "ct.decision": decision["outcome"],
        "ct.decision_id": str(decision["decision_id"]),
        "ct.reason_code": decision["code"],
        "ct.reason_text": render(decision, "en"),
        "ct.reason_text_es": render(decision, "es"),
        "ct.compared_to": decision["champion_version"] or "none",
        "ct.delta_mae": _number(superiority.get("value")),
        "ct.delta_mae_ci": f"{_number(superiority.get('ci_low'))} {_number(superiority.get('ci_high'))}",
        "ct.eval_digest": " ".join(sorted(digests)),
        "ct.gates": json.dumps(gates),
        "ct.policy_version": f"{decision['policy_name']} {decision['policy_version']}",
        "ct.decided_at": decision["decided_at"].isoformat(),
        "ct.decided_by": (decision["facts"] or {}).get("author") or "policy",
    }


def write_notes(registry: Registry, version: Version, decision: Mapping[str, Any], stage: str) -> None:
    """Set the tags, and a description in both languages that begins with why the version was trained."""
    for key, value in version_tags(decision, stage).items():
        registry.client.set_model_version_tag(registry.name, version.number, key, value)
    trained = version.tags.get("ct.retrain_text", "")
    told = (trained, render(decision, "en"), render(decision, "es"))
    registry.client.update_model_version(registry.name, version.number, description="\n\n".join(filter(None, told)))


def publish_report(registry: Registry, version: Version, evidence: Mapping[str, Any] | None) -> None:
    """Write ``report.en.md`` and ``report.es.md`` into the version's MLflow run; repeating it changes nothing.

    ``evidence`` is what `ct_store.run_evidence.read_run` found of the pipeline's run; nothing is written without it.
    """
    if evidence is None:
        return
    for language in LANGUAGES:
        registry.client.log_text(version.run_id, render_report(evidence, language), f"report.{language}.md")


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
