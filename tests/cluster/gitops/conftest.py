"""The environment `local` by Argo CD from a git server, once for the tests of this folder, and gone when they have ended."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="package")
def repository(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty cluster, and the repository on the git server; the root is applied, and nothing else by hand."""
    if not os.environ.get("CT_GIT_DIRECTORY"):
        pytest.skip("no git server: set CT_GIT_DIRECTORY and CT_GIT_URL (docs/kubernetes.md)")
    from kube import gitops

    gitops.forget()
    made = gitops.make_repository(tmp_path_factory.mktemp("gitops"))
    gitops.apply_root(made)
    yield made
    if not os.environ.get("CT_KEEP"):
        gitops.forget(wait=False)


@pytest.fixture(scope="package")
def airflow(repository: Any) -> Iterator[Any]:
    """A client of the environment's Airflow, by a forward that outlives its pods."""
    from kube import gitops
    from kube.kubectl import forwarded, get

    from local.airflow_api import Airflow

    kept = get("secret", "airflow-passwords", f"--namespace={gitops.PLATFORM}")["data"]["passwords.json"]
    with forwarded(gitops.PLATFORM, "airflow", 8080) as port:
        yield Airflow(f"http://127.0.0.1:{port}", json.loads(base64.b64decode(kept))["admin"])
