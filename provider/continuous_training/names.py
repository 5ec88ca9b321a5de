"""Names inside a task's pod or container. Apart from the pods, because reading them must not load the Kubernetes client."""

from __future__ import annotations

from pathlib import PurePosixPath

from ct_contract.call import DEFAULT_RESULT_PATH

BASE = "base"
"""The container that runs the task."""

SIDECAR = "airflow-xcom-sidecar"
"""The container that holds the result until it is read; Airflow fixes the name."""

RESULT_FOLDER = str(PurePosixPath(DEFAULT_RESULT_PATH).parent)
