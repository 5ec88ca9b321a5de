"""Start the step: ``python -m ct_validate``."""

from ct_contract import run_task

from ct_validate.step import validate

raise SystemExit(run_task("validate", validate))
