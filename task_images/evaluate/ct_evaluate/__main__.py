"""Start the step: ``python -m ct_evaluate``."""

from ct_contract import run_task

from ct_evaluate.step import evaluate

raise SystemExit(run_task("evaluate", evaluate))
