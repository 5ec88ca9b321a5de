"""The environment `local` on the cluster, by Argo CD from a git server: the repository, the root, and what Argo CD says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from kube.kubectl import apply, get, kubectl

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "argocd-apps")]

import bump  # noqa: E402

from task_images.build import read_manifest  # noqa: E402

PLATFORM, TASKS, ARGOCD = "continuous-training", "continuous-training-tasks", "argocd"
EVERYTHING = ("platform", "secrets", "databases", "object-store", "data-source", "mlflow", "airflow", "dashboard", "serving")
ROOT_APPLICATION = "continuous-training"


def wait(seconds: float, what: str, true: Callable[[], object]) -> Any:
    """Return what ``true`` returns as soon as it is true; it may raise until then. Fails with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if last := true():
                return last
        except Exception as error:  # the API server, a service or a pod may be away meanwhile
            last = error
        time.sleep(1)
    raise AssertionError(f"not within {seconds:.0f} s: {what} ({last})")


@dataclass(frozen=True)
class Repository:
    """A clone, the bare repository that pods read, and its address for them."""

    clone: Path
    bare: Path
    url: str

    def git(self, *arguments: str) -> str:
        """Run git in the clone."""
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
        command = ["git", "-C", str(self.clone), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def push(self, message: str) -> str:
        """Commit everything and push it; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def bump(self, images: dict[str, dict[str, str]], message: str) -> str:
        """Write images into the file of `local`, as CI does, and push it."""
        bump.bump(bump.images_file(self.clone, "local"), images)
        return self.push(message)


def image(name: str, tag: str) -> dict[str, str]:
    """An image of this test run by its name in images.yaml."""
    prefix = os.environ.get("CT_IMAGE_PREFIX") or "localhost/continuous-training/"
    return {"repository": f"{prefix}{name}", "tag": tag}


def make_repository(directory: Path) -> Repository:
    """This working tree as a repository on the git server, with the images of this test run.

    CT_GIT_DIRECTORY is the directory whose bare repositories the server serves, CT_GIT_URL how pods reach it.
    """
    name = "continuous-training.git"
    bare = Path(os.environ["CT_GIT_DIRECTORY"]) / name
    shutil.rmtree(bare, ignore_errors=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    (bare / "git-daemon-export-ok").touch()
    repository = Repository(directory / "clone", bare, f"{os.environ['CT_GIT_URL'].rstrip('/')}/{name}")
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    for path in filter(None, tracked.split("\0")):
        target = repository.clone / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("remote", "add", "origin", str(bare))
    _other_images(repository.clone)
    tag = os.environ.get("CT_IMAGE_TAG") or "test"
    names = [entry.replace("_", "-") for entry in read_manifest()]
    repository.bump({one: image(one, tag) for one in names}, "everything of this run")
    return repository


def _other_images(clone: Path) -> None:
    """The programs of others as this cluster has them, where their names differ from those in git."""
    files = {"CT_POSTGRES_IMAGE": ("databases", "postgres"), "CT_MINIO_IMAGE": ("object-store", "minio"),
             "CT_STATSD_IMAGE": ("airflow", "statsd-exporter")}  # fmt: skip
    for variable, (chart, name) in files.items():
        if reference := os.environ.get(variable):
            repository, _, tag = reference.rpartition(":")
            images = clone / "argocd-apps/environments/local/images.yaml"
            bump.bump(images, {name: {"repository": repository, "tag": tag}})
            assert chart


def apply_root(repository: Repository) -> None:
    """The one object that is applied."""
    values = {"REPOSITORY": repository.url, "REVISION": "main", "ENVIRONMENT": "local"}
    apply(Template((repository.clone / "argocd-apps/root.yaml").read_text()).substitute(values))


def application(name: str) -> Any:
    """An Application as Argo CD has it."""
    return get("application", name, f"--namespace={ARGOCD}")


def states() -> dict[str, tuple[str, str]]:
    """Synchronisation and health of every Application."""
    found = {}
    for one in get("applications", f"--namespace={ARGOCD}")["items"]:
        status = one.get("status", {})
        found[one["metadata"]["name"]] = (
            status.get("sync", {}).get("status", ""),
            status.get("health", {}).get("status", ""),
        )
    return found


def refresh(name: str) -> None:
    """Let Argo CD look at git now."""
    kubectl("annotate", "application", name, f"--namespace={ARGOCD}", "argocd.argoproj.io/refresh=normal", "--overwrite")


def settle(name: str, commit: str, seconds: float = 300) -> None:
    """Wait until an Application is synchronised with a commit."""

    def settled() -> bool:
        refresh(name)
        status = application(name)["status"]
        return status["sync"]["status"] == "Synced" and status["sync"].get("revision") == commit

    wait(seconds, f"{name} at {commit[:8]}", settled)
