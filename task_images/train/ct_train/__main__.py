"""Start the step: ``python -m ct_train``."""

import os

# A server that is away is the operator's to retry; MLflow's own seven retries would hide it for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from ct_contract import run_task

from ct_train.step import train

raise SystemExit(run_task("train", train))
