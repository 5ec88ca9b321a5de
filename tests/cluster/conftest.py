"""The platform in the cluster that KUBECONFIG names, once a session. Without a cluster these tests are skipped."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def cluster() -> None:
    """A cluster that answers."""
    if not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None:
        pytest.skip("no cluster: set KUBECONFIG, put kubectl on the PATH and load the images (make test-cluster)")
    from kube.kubectl import kubectl

    kubectl("version", timeout=60)


@pytest.fixture(scope="session")
def platform(cluster: None) -> Iterator[object]:
    """PostgreSQL, object store, MLflow, data source, Airflow and serving, started afresh."""
    from kube import platform as module

    started = module.start()
    yield started
    started.close()
