"""Start the step: ``python -m ct_scratch``."""

from ct_contract import run_task

from ct_scratch.step import scratch

raise SystemExit(run_task("scratch", scratch))
