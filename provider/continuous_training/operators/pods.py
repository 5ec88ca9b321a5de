"""What every task pod has unless a DAG says otherwise: tight security, a place for temporary files, labels."""

from __future__ import annotations

from typing import Any

from kubernetes.client import models as k8s  # type: ignore[import-untyped]

SECCOMP = {"type": "RuntimeDefault"}

POD_SECURITY: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": SECCOMP}

CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

SIDECAR_SECURITY: dict[str, Any] = {**CONTAINER_SECURITY, "runAsNonRoot": True, "runAsUser": 65532}
"""The XCom side-car's image would run as root otherwise."""

SCRATCH = "scratch"

DEADLINE_MARGIN = 300
"""Seconds between a task's execution time-out and the moment when the kubelet ends its pod by itself."""


def resources(cpu: str, memory: str, *, cpu_limit: str) -> k8s.V1ResourceRequirements:
    """Requests and limits; those of memory are the same, for memory above its request is what gets a pod evicted."""
    return k8s.V1ResourceRequirements(
        requests={"cpu": cpu, "memory": memory},
        limits={"cpu": cpu_limit, "memory": memory},
    )


def labels(task: str) -> dict[str, str]:
    """Labels that are the same in every try: Airflow finds a running pod again by them."""
    return {"app.kubernetes.io/part-of": "continuous-training", "app.kubernetes.io/component": task}


def add_scratch(pod: k8s.V1Pod, container: str) -> None:
    """Give the container an empty /tmp, which a read-only root file system lacks; keeps one that is already there."""
    [base] = [candidate for candidate in pod.spec.containers if candidate.name == container]
    mounts = base.volume_mounts or []
    if any(mount.mount_path == "/tmp" for mount in mounts):  # noqa: S108 - a path in the pod
        return
    base.volume_mounts = [*mounts, k8s.V1VolumeMount(name=SCRATCH, mount_path="/tmp")]  # noqa: S108
    pod.spec.volumes = [*(pod.spec.volumes or []), k8s.V1Volume(name=SCRATCH, empty_dir=k8s.V1EmptyDirVolumeSource())]


def exit_status(pod: k8s.V1Pod | None, container: str) -> int | None:
    """The exit status of a container that has ended, else None."""
    ended = _terminated(pod, container)
    return int(ended.exit_code) if ended else None


def last_words(pod: k8s.V1Pod | None, container: str) -> str:
    """What the kubelet kept of the end of a container: its last log lines."""
    ended = _terminated(pod, container)
    return str(ended.message or "") if ended else ""


def _terminated(pod: k8s.V1Pod | None, container: str) -> k8s.V1ContainerStateTerminated | None:
    for status in (pod.status.container_statuses if pod and pod.status else None) or []:
        if status.name == container and status.state and status.state.terminated:
            return status.state.terminated
    return None
