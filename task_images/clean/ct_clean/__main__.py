"""Start the step: ``python -m ct_clean``."""

from ct_contract import run_task

from ct_clean.step import clean

raise SystemExit(run_task("clean", clean))
