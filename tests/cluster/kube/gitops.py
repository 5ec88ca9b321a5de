"""The environment `local` on the cluster, by Argo CD from a git server: the repository, the root, and what Argo CD says."""

from __future__ import annotations

import json
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


def wait_for(seconds: float, what: str, true: Callable[[], object]) -> Any:
    """Return what ``true`` returns as soon as that is true; it may raise until then.

    Fails with ``what`` and the last of its answers after ``seconds``; an answer that is neither true nor false, such as a
    dictionary, is one that explains why it is not true yet.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = true()
            if last and not isinstance(last, dict):
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

    def revert(self) -> str:
        """Take the last commit back by another one, as one rolls back; the commit."""
        self.git("revert", "--no-edit", "HEAD")
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def images(self) -> dict[str, dict[str, str]]:
        """What images.yaml of `local` says."""
        return bump.read(bump.images_file(self.clone, "local").read_text())

    def bump(self, images: dict[str, dict[str, str]], message: str) -> str:
        """Write images into the file of `local`, as CI does, and push it."""
        bump.bump(bump.images_file(self.clone, "local"), images)
        return self.push(message)


def image(name: str, tag: str) -> dict[str, str]:
    """An image of this test run by its name in images.yaml."""
    prefix = os.environ.get("CT_IMAGE_PREFIX") or "localhost/continuous-training/"
    return {"repository": f"{prefix}{name}", "tag": tag}


def image_names() -> list[str]:
    """Our images as images.yaml calls them."""
    return [entry.replace("_", "-") for entry in read_manifest()]


def make_repository(directory: Path) -> Repository:
    """This working tree as a repository on the git server, with the images of this test run.

    CT_GIT_DIRECTORY is the directory whose bare repositories the server serves, CT_GIT_URL how pods reach it.
    """
    repository = _repository(directory)
    bare = repository.bare
    shutil.rmtree(bare, ignore_errors=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    (bare / "git-daemon-export-ok").touch()
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    for path in filter(None, tracked.split("\0")):
        target = repository.clone / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("remote", "add", "origin", str(bare))
    _other_images(repository.clone)
    tag = os.environ.get("CT_IMAGE_TAG") or "test"
    repository.bump({one: image(one, tag) for one in image_names()}, "everything of this run")
    return repository


def found_repository(directory: Path) -> Repository:
    """The repository that an earlier run left on the git server."""
    repository = _repository(directory)
    subprocess.run(["git", "clone", "--quiet", str(repository.bare), str(repository.clone)], check=True)
    return repository


def _repository(directory: Path) -> Repository:
    name = "continuous-training.git"
    bare = Path(os.environ["CT_GIT_DIRECTORY"]) / name
    return Repository(directory / "clone", bare, f"{os.environ['CT_GIT_URL'].rstrip('/')}/{name}")


def _other_images(clone: Path) -> None:
    """The programs of others as this cluster has them, where their names differ from those in git."""
    names = {"CT_POSTGRES_IMAGE": "postgres", "CT_MINIO_IMAGE": "minio", "CT_STATSD_IMAGE": "statsd-exporter"}
    for variable, name in names.items():
        if reference := os.environ.get(variable):
            repository, _, tag = reference.rpartition(":")
            images = clone / "argocd-apps/environments/local/images.yaml"
            bump.bump(images, {name: {"repository": repository, "tag": tag}})


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


def is_well(name: str) -> bool:
    """Whether an Application is in step with git and healthy."""
    return states().get(name) == ("Synced", "Healthy")


def refresh(name: str) -> None:
    """Let Argo CD look at git now."""
    kubectl("annotate", "application", name, f"--namespace={ARGOCD}", "argocd.argoproj.io/refresh=normal", "--overwrite")


def settle(name: str, commit: str, seconds: float = 300) -> None:
    """Wait until an Application is synchronised with a commit."""

    def settled() -> bool:
        refresh(name)
        status = application(name)["status"]
        return bool(status["sync"]["status"] == "Synced" and status["sync"].get("revision") == commit)

    wait_for(seconds, f"{name} at {commit[:8]}", settled)


def synchronise(name: str) -> None:
    """Ask for a whole synchronisation of what is in step already: every object is applied again and every hook runs."""
    options = [one for one in application(name)["spec"]["syncPolicy"]["syncOptions"] if one != "ApplyOutOfSyncOnly=true"]
    operation = {"initiatedBy": {"username": "test"}, "sync": {"prune": True, "syncOptions": options}}
    patch = json.dumps({"operation": operation})
    kubectl("patch", "application", name, f"--namespace={ARGOCD}", "--type=merge", f"--patch={patch}")


def synchronised(name: str) -> bool:
    """Whether what ``synchronise`` asked for has succeeded."""
    found = application(name)
    state = found["status"]["operationState"]
    mine = state["operation"].get("initiatedBy", {}).get("username") == "test"
    return "operation" not in found and mine and state["phase"] == "Succeeded"


def give_up(name: str) -> None:
    """End an operation that waits, as `argocd app terminate-op` does."""
    patch = '{"status": {"operationState": {"phase": "Terminating"}}}'
    kubectl("patch", "application", name, f"--namespace={ARGOCD}", "--type=merge", f"--patch={patch}")


def forget(*, wait: bool = True) -> None:
    """Remove the environment with its namespaces, without Argo CD's own way of removing what it made one by one."""
    argocd = f"--namespace={ARGOCD}"
    names = sorted(set(states()) & {*EVERYTHING, "observability", ROOT_APPLICATION})
    for name in (ROOT_APPLICATION, *names):  # the root first: it would make the others again
        kubectl("delete", "application", name, argocd, "--ignore-not-found", "--wait=false")
        patch = '--patch={"metadata": {"finalizers": null}}'
        kubectl("patch", "application", name, argocd, "--type=merge", patch, check=False)
    projects = [f"continuous-training-{name}" for name in ("services", "platform", "root")]
    kubectl("delete", "appprojects", *projects, argocd, "--ignore-not-found", "--timeout=120s")
    kubectl("delete", "namespace", PLATFORM, TASKS, "--ignore-not-found", f"--wait={str(wait).lower()}", "--timeout=300s")


KINDS = (
    "deployments,statefulsets,cronjobs,services,configmaps,secrets,networkpolicies,serviceaccounts,persistentvolumeclaims,"
    "roles,rolebindings,resourcequotas,limitranges,horizontalpodautoscalers,poddisruptionbudgets"
)


def contents() -> dict[tuple[str, str, str], str]:
    """Every object of the environment but jobs and pods: its identity and all that it says but its state.

    How many replicas the autoscaler wants at the moment is state, too.
    """
    found = {}
    for namespace in (PLATFORM, TASKS):
        for one in get(KINDS, f"--namespace={namespace}")["items"]:
            metadata = one["metadata"]
            said = {key: value for key, value in one.items() if key not in {"metadata", "status"}}
            if "replicas" in said.get("spec", {}):
                del said["spec"]["replicas"]
            identity = [metadata["uid"], metadata.get("labels"), metadata.get("annotations")]
            found[namespace, one["kind"], metadata["name"]] = json.dumps([identity, said], sort_keys=True)
    return found


def address(service: str, port: int) -> str:
    """A service's own address, which this machine reaches without a forward: requests are spread over pods."""
    return f"http://{get('service', service, f'--namespace={PLATFORM}')['spec']['clusterIP']}:{port}"


def predict_url() -> str:
    """Where prices are asked for."""
    return f"{address('serving', 8000)}/predict"


def serving_tags() -> set[str]:
    """The tags of the images that serving's pods run, those on their way out excepted."""
    pods = get("pods", f"--namespace={PLATFORM}", "--selector=app.kubernetes.io/name=serving")["items"]
    running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in running}


def ready_replicas(deployment: str) -> int:
    """The pods of a deployment that are ready."""
    return int(get("deployment", deployment, f"--namespace={PLATFORM}")["status"].get("readyReplicas", 0))


def inside(what: str, code: str) -> str:
    """What Python code prints inside the pod of a workload."""
    return kubectl("exec", what, f"--namespace={PLATFORM}", "--", "python", "-c", code)
