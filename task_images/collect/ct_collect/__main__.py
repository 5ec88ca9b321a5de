"""Start the step: ``python -m ct_collect``."""

from ct_contract import run_task

from ct_collect.step import collect

raise SystemExit(run_task("collect", collect))
