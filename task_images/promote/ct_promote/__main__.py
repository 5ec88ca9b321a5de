"""Start the step: ``python -m ct_promote``."""

from ct_contract import TaskInput, TaskResult, run_task

from ct_promote.rollback import rollback
from ct_promote.step import promote


def act(payload: TaskInput) -> TaskResult:
    """What the input's ``action`` says: ``rollback``, or a promotion's ``promote`` or ``reject``."""
    return rollback(payload) if payload.inputs.get("action") == "rollback" else promote(payload)


raise SystemExit(run_task("promote", act))
