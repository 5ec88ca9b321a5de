"""Start the step: ``python -m ct_train``."""

from ct_contract import run_task

from ct_train.step import train

raise SystemExit(run_task("train", train))
