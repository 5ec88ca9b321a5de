"""Start the step: ``python -m ct_evaluate``."""

from ct_contract import TaskInput, TaskResult, run_task


def judge(payload: TaskInput) -> TaskResult:
    """A challenger, or by the input's ``action`` ``watch`` the champion after its promotion."""
    # Each imports what it needs alone: a watch comes often, and is mostly over before a model could be loaded.
    if payload.inputs.get("action") == "watch":
        from ct_evaluate.watch import watch

        return watch(payload)
    from ct_evaluate.step import evaluate

    return evaluate(payload)


raise SystemExit(run_task("evaluate", judge))
