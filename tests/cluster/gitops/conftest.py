"""The environment `local` by Argo CD from a git server, once for the tests of this folder, and gone when they have ended."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

FOUNDATIONS = {
    "test_the_root_brings_up_everything_but_serving_which_waits_for_a_model",
    "test_the_pipeline_runs_from_git_and_the_api_follows_the_promotion",
}
"""Where one of these fails, what comes after it would only wait for what never comes."""

failed_foundation = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that the environment is not there."""
    report = yield
    if report.failed and item.name in FOUNDATIONS:
        item.session.stash[failed_foundation] = item.name
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the environment when it is not there."""
    failed = item.session.stash.get(failed_foundation, None)
    if failed and "repository" in getattr(item, "fixturenames", ()):
        pytest.skip(f"{failed} failed")


@pytest.fixture(scope="package")
def repository(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty cluster, and the repository on the git server; the root is applied, and nothing else by hand.

    CT_KEEP keeps the environment, and the next run with it goes on with what is there.
    """
    if not os.environ.get("CT_GIT_DIRECTORY"):
        pytest.skip("no git server: set CT_GIT_DIRECTORY and CT_GIT_URL (docs/kubernetes.md)")
    from kube import gitops

    keep = bool(os.environ.get("CT_KEEP"))
    directory = tmp_path_factory.mktemp("gitops")
    if keep and gitops.ROOT_APPLICATION in gitops.states():
        made = gitops.found_repository(directory)
    else:
        gitops.forget()
        made = gitops.make_repository(directory)
        gitops.apply_root(made)
    yield made
    if not keep:
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
