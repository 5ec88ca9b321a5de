"""Start the step: ``python -m ct_promote``."""

from ct_contract import run_task

from ct_promote.step import promote

raise SystemExit(run_task("promote", promote))
