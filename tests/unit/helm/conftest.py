"""Charts rendered by the real helm, as Argo CD would: from a copy, with each environment's value files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(ROOT / "argocd-apps"))

import bump  # noqa: E402
from rendered import ENVIRONMENTS, Render  # noqa: E402

from task_images.build import read_manifest  # noqa: E402
from tools import TOOLS, run_tool  # noqa: E402

REPOSITORY = "https://git.example.org/you/continuous-training.git"


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts with their library, and every environment with all images published by digests that this test made up.

    Skips without helm: a render that was skipped half-way would look like an empty one to the next test.
    """
    if not (TOOLS / "helm").exists():
        pytest.skip("helm is not built: make tools (needs Go)")
    root = tmp_path_factory.mktemp("gitops")
    ignore = shutil.ignore_patterns("charts", "__pycache__")
    for name in ("helm", "argocd-apps"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for lock in sorted((root / "helm").glob("*/Chart.lock")):  # what `helm dependency build` does, without eleven processes
        shutil.copytree(root / "helm" / "lib", lock.parent / "charts" / "lib")
    images = {
        image.name.replace("_", "-"): {
            "repository": f"docker.io/you/continuous-training-{image.name.replace('_', '-')}",
            "tag": "0.1.0-g0123456789ab",
            "digest": f"sha256:{number:064x}",
        }
        for number, image in enumerate(read_manifest().values(), 1)
    }
    for environment in ENVIRONMENTS:
        bump.bump(bump.images_file(root, environment), images)
    return root


@pytest.fixture(scope="session")
def helm_template(copy: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``helm template`` of a chart of the copy, with more arguments."""

    def template(chart: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        directory = copy / ("argocd-apps" if chart == "argocd-apps" else f"helm/{chart}")
        return run_tool("helm", "template", chart, directory, "--namespace=continuous-training", *arguments, cwd=copy)

    return template


@pytest.fixture(scope="session")
def applications(helm_template: Any) -> Callable[[str], list[dict[str, Any]]]:
    """What the app of apps makes of an environment."""

    def of(environment: str) -> list[dict[str, Any]]:
        done = helm_template(
            "argocd-apps",
            f"--values=argocd-apps/environments/{environment}/apps.yaml",
            f"--set=repository={REPOSITORY},environment={environment},revision=main",
        )
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return of


@pytest.fixture(scope="session")
def render(helm_template: Any) -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """The chart of an Application with its values, as Argo CD renders it."""

    def of(application: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        source = application["spec"]["source"]
        files = [os.path.normpath(f"{source['path']}/{file}") for file in source["helm"]["valueFiles"]]
        given = source["helm"].get("valuesObject", {})
        values = [f"--values={file}" for file in files] + [
            f"--set-json={key}={json.dumps(value)}" for key, value in given.items()
        ]
        return helm_template(application["metadata"]["name"], *values)

    return of


@pytest.fixture(scope="session")
def rendered(render: Any, applications: Any) -> Callable[[str], dict[str, Render]]:
    """Every chart of an environment, by name; each environment once."""
    known: dict[str, dict[str, Render]] = {}

    def of(environment: str) -> dict[str, Render]:
        if environment not in known:
            known[environment] = {}
            for application in applications(environment):
                if application["kind"] == "Application" and "source" in application["spec"]:
                    name = application["metadata"]["name"]
                    done = render(application)
                    assert done.returncode == 0, f"{environment} {name}: {done.stderr}"
                    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
                    known[environment][name] = Render(done.stdout, objects)
        return known[environment]

    return of


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def objects(rendered: Any, environment: str) -> list[dict[str, Any]]:
    """Every object of an environment."""
    return [one for render in rendered(environment).values() for one in render.objects]
