"""Start the step: ``python -m ct_assess``."""

from ct_contract import run_task

from ct_assess.step import assess

raise SystemExit(run_task("assess", assess))
