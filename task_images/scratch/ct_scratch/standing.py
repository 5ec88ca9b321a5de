"""What a model version said of itself at a moment, by where it stood then. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from ct_decisions.standing import Standing

DECISION_TAGS = frozenset({
    "stage", "ct.decision", "ct.decision_id", "ct.reason_code", "ct.reason_text", "ct.reason_text_es", "ct.compared_to",
    "ct.delta_mae", "ct.delta_mae_ci", "ct.eval_digest", "ct.gates", "ct.policy_version", "ct.decided_at",
    "ct.decided_by",
})  # fmt: skip
"""What a version is told when its promotion decision is carried out."""

ROLLBACK_TAGS = frozenset({
    "ct.rollback_code", "ct.rollback_text", "ct.rollback_text_es", "ct.rollback_decision_id", "ct.rollback_decided_at",
})  # fmt: skip
"""What both versions of a rollback are told."""


def description_and_tags(description: str, tags: Mapping[str, str], number: str, then: Standing) -> tuple[str, dict[str, str]]:
    """What a version said of itself when it stood like that; one that the ledger does not know is left as it is."""
    if number not in then.registered:
        return description, dict(tags)
    stage = then.stages.get(number)
    if stage is None:
        kept = {key: value for key, value in tags.items() if key not in DECISION_TAGS | ROLLBACK_TAGS}
        return tags.get("ct.retrain_text", description), kept
    told = number in then.in_rollbacks
    kept = {key: value for key, value in tags.items() if told or key not in ROLLBACK_TAGS}
    return description, {**kept, "stage": stage}
