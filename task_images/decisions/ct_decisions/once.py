"""A run decides each thing once: whoever tries again gets the decision that was recorded first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ct_contract import TaskInput
from ct_store.connection import Connection
from ct_store.ledger import find_decision

log = logging.getLogger(__name__)


def decide_once(connection: Connection, payload: TaskInput, kind: str, decide: Callable[[], None]) -> dict[str, Any]:
    """The run's decision of this kind with its evidence, as `ct_store.ledger.find_decision` returns it.

    ``decide`` records it and is called only if no try of the run has; then this commits. Of two tries at once the one that
    records first has decided, and both get its decision.
    """

    def find() -> dict[str, Any] | None:
        return find_decision(connection, dag_id=payload.dag_id, run_id=payload.run_id, kind=kind)

    decision = find()
    if decision is not None:
        log.info("this run has decided before; nothing is measured again")
        return decision
    decide()
    connection.commit()
    decision = find()
    if decision is None:
        raise RuntimeError("the decision was recorded and is not there")
    return decision
