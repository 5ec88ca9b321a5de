"""The charts of every environment as Argo CD would render them, for the API server to judge before anything runs."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kube import gitops
from kube.kubectl import kubectl

Object = dict[str, Any]
REPOSITORY = "https://git.example.org/you/continuous-training.git"


def helm() -> str | None:
    """The pinned helm of this project, else the one on the PATH; None without either."""
    pinned = gitops.ROOT / ".tools" / "helm"
    return str(pinned) if pinned.exists() else shutil.which("helm")


def published(directory: Path, environment: str) -> Path:
    """A copy of charts and environments in which every image is published, by digests that are made up."""
    root = directory / environment
    ignore = shutil.ignore_patterns("charts", "__pycache__")
    for name in ("helm", "argocd-apps"):
        shutil.copytree(gitops.ROOT / name, root / name, ignore=ignore)
    for lock in (root / "helm").glob("*/Chart.lock"):  # what `helm dependency build` does
        shutil.copytree(root / "helm" / "lib", lock.parent / "charts" / "lib")
    images = {
        name: {"repository": f"registry.example.org/{name}", "tag": "1", "digest": f"sha256:{number:064x}"}
        for number, name in enumerate(gitops.image_names(), 1)
    }
    gitops.bump.bump(gitops.bump.images_file(root, environment), images)
    return root


def template(root: Path, chart: Path, *arguments: str) -> list[Object]:
    """The objects of a chart. Raises subprocess.CalledProcessError if it does not render."""
    command = [str(helm()), "template", chart.name, str(chart), f"--namespace={gitops.PLATFORM}", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{chart.name}: {done.stderr}"
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def applications(root: Path, environment: str) -> list[Object]:
    """What the app of apps makes: projects and Applications."""
    given = f"--set=repository={REPOSITORY},environment={environment},revision=main"
    apps = root / "argocd-apps"
    return template(root, apps, f"--values={apps}/environments/{environment}/apps.yaml", given)


def everything(root: Path, environment: str) -> Iterator[Object]:
    """Every object of an environment but its Applications and what charts of others make; ``observability`` always."""
    for application in applications(root, environment):
        if application["kind"] == "Application" and "source" in application["spec"]:
            yield from _chart(root, application["spec"]["source"])
    if not any(one["metadata"]["name"] == "observability" for one in applications(root, environment)):
        yield from template(root, root / "helm/observability", f"--values=argocd-apps/environments/{environment}/global.yaml")


def _chart(root: Path, source: Object) -> list[Object]:
    files = [os.path.normpath(f"{source['path']}/{file}") for file in source["helm"]["valueFiles"]]
    given = source["helm"].get("valuesObject", {})
    values = [f"--values={file}" for file in files] + [f"--set-json={key}={json.dumps(value)}" for key, value in given.items()]
    return template(root, root / source["path"], *values)


def pods(objects: list[Object]) -> Iterator[Object]:
    """One pod of each workload's template: pod security judges pods only, a Deployment that breaks it is merely warned of."""
    for one in objects:
        spec = one.get("spec", {})
        inner = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if one["kind"] in {"Deployment", "StatefulSet", "Job", "CronJob"} and inner:
            pod = copy.deepcopy(inner)
            name = f"{one['kind']}-{one['metadata']['name']}".lower()
            pod["metadata"] |= {"name": name, "namespace": one["metadata"]["namespace"]}
            claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
            pod["spec"].setdefault("volumes", []).extend(
                {"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims
            )
            yield {"apiVersion": "v1", "kind": "Pod", **pod}


def moved(objects: list[Object], namespaces: dict[str, str]) -> list[Object]:
    """The same objects in other namespaces, so that what already runs in their own does not matter."""
    found = []
    for one in copy.deepcopy(objects):
        metadata = one["metadata"]
        if one["kind"] == "Namespace":
            metadata["name"] = namespaces[metadata["name"]]
        else:
            metadata["namespace"] = namespaces[metadata["namespace"]]
        found.append(one)
    return found


def known_kinds() -> set[tuple[str, str]]:
    """API version and kind of all that the API server has."""
    lines = kubectl("api-resources", "--no-headers").splitlines()
    return {(words[-3], words[-1]) for words in (line.split() for line in lines)}
