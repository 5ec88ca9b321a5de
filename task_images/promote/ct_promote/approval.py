"""A promotion that was held for a person: what came of the wait, recorded before anything is done about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ct_contract import BadDataError, TaskInput
from ct_decisions.approval import Answer, AnswerError, decide, read_answer
from ct_store.connection import Connection
from ct_store.ledger import find_decision, record_decision

log = logging.getLogger(__name__)

Decision = dict[str, Any]


def settle(
    connection: Connection, payload: TaskInput, held: Mapping[str, Any], action: str, may_promote: Callable[[], None]
) -> Decision:
    """The decision that an answer made of a hold, with all evidence of the comparison; recorded if it is new.

    The first answer of a run counts, whatever is answered later. ``may_promote`` raises if it is too late to promote: then
    nothing is recorded. Raises BadDataError if there is no answer, or one that does not ask for ``action``.
    """
    decision = _recorded(connection, payload, held)
    if decision is not None:
        _refuse_other(held, decision["outcome"], action)
        return decision
    answer = _given(payload, held)
    _refuse_other(held, answer.outcome, action)
    if action == "promote":
        may_promote()
    return _record(connection, payload, held, answer)


def _recorded(connection: Connection, payload: TaskInput, held: Mapping[str, Any]) -> Decision | None:
    found = find_decision(connection, dag_id=payload.dag_id, run_id=payload.run_id, kind="approval")
    if found is None:
        return None
    if found["facts"].get("held_decision_id") != str(held["decision_id"]):
        raise BadDataError(
            "NOT_DECIDED",
            f"the answer of this run is about decision {found['facts'].get('held_decision_id')}, not about "
            f"{held['decision_id']}. Nothing was changed.",
        )
    return {**found, "gates": held["gates"], "evaluations": held["evaluations"]}


def _given(payload: TaskInput, held: Mapping[str, Any]) -> Answer:
    value = payload.inputs.get("approval")
    if not isinstance(value, Mapping):
        raise BadDataError(
            "NOT_APPROVED",
            f"decision {held['decision_id']} holds version {held['challenger_version']} for a person ({held['code']}), and "
            "nobody's answer was given. Nothing was changed: answer the task approve of the run in Airflow.",
        )
    try:
        return read_answer(value)
    except AnswerError as error:
        raise BadDataError("ANSWER_UNREADABLE", f"the input approval cannot be read: {error}. Nothing was changed.") from error


def _refuse_other(held: Mapping[str, Any], answered: str, action: str) -> None:
    if answered != action:
        raise BadDataError(
            "NOT_DECIDED",
            f"the answer about version {held['challenger_version']} is to {answered} it, not to {action} it. "
            "Nothing was changed.",
        )


def _record(connection: Connection, payload: TaskInput, held: Mapping[str, Any], answer: Answer) -> Decision:
    """Add the decision of the kind ``approval``; it is there before any alias moves."""
    verdict, gates = decide(held, answer)
    record_decision(
        connection,
        dag_id=payload.dag_id,
        run_id=payload.run_id,
        kind="approval",
        outcome=verdict.outcome,
        code=verdict.code,
        batch_id=held["batch_id"],
        policy={key: held[f"policy_{key}"] for key in ("name", "version", "digest")},
        champion_version=held["champion_version"],
        challenger_version=held["challenger_version"],
        facts=verdict.facts,
        gates=gates,
    )
    connection.commit()
    found = _recorded(connection, payload, held)
    if found is None:
        raise RuntimeError("the answer was recorded and is not there")
    return found
