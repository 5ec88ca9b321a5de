"""What the status of a pod says about its task: how the container ended, and what the cluster did to the pod."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto

from kubernetes.client import models as k8s  # type: ignore[import-untyped]
from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped]

IMAGE_PROBLEMS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
"""Reasons for which a container waits that say: there is no image."""

CONFIGURATION_PROBLEMS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
"""Reasons for which a container waits that say: a secret is missing, or the container cannot be made as asked."""

OUT_OF_MEMORY = "OOMKilled"


class Trouble(Enum):
    """What happened to a pod, other than that its program ended."""

    IMAGE = auto()
    CONFIGURATION = auto()
    NO_ROOM = auto()
    EVICTED = auto()
    DEADLINE = auto()
    ENDED_BY_CLUSTER = auto()
    OUT_OF_MEMORY = auto()
    DELETED = auto()


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """A trouble and the cluster's words for it."""

    trouble: Trouble
    words: str


def exit_status(pod: k8s.V1Pod | None, container: str) -> int | None:
    """The exit status of a container that has ended, else None."""
    ended = _terminated(pod, container)
    return int(ended.exit_code) if ended else None


def last_words(pod: k8s.V1Pod | None, container: str) -> str:
    """What the kubelet kept of the end of a container: its last log lines."""
    ended = _terminated(pod, container)
    return str(ended.message or "") if ended else ""


def api_words(error: ApiException) -> str:
    """The Kubernetes API's own words for a refusal."""
    try:
        return str(json.loads(error.body)["message"])
    except (KeyError, TypeError, ValueError):
        return str(error.body or "no more is known")


def diagnose(pod: k8s.V1Pod | None, container: str) -> Diagnosis | None:
    """What the cluster did to the pod, None if nothing is known; a pod of None is one that is not there any more."""
    if pod is None:
        return Diagnosis(trouble=Trouble.DELETED, words="the pod is not there any more")
    return _ended_by_cluster(pod, container) or _waiting(pod) or _unscheduled(pod)


def _ended_by_cluster(pod: k8s.V1Pod, container: str) -> Diagnosis | None:
    ended = _terminated(pod, container)
    if pod.status and pod.status.phase == "Failed" and pod.status.reason:
        words = f"{pod.status.reason}: {pod.status.message or 'no more is known'}"
        kinds = {"Evicted": Trouble.EVICTED, "DeadlineExceeded": Trouble.DEADLINE}
        return Diagnosis(trouble=kinds.get(pod.status.reason, Trouble.ENDED_BY_CLUSTER), words=words)
    if ended and ended.reason == OUT_OF_MEMORY:
        return Diagnosis(trouble=Trouble.OUT_OF_MEMORY, words=f"memory limit {memory_limit(pod, container) or 'of the node'}")
    # A task that ended by itself before its pod was deleted keeps its own ending.
    if pod.metadata.deletion_timestamp and (ended is None or ended.exit_code in {137, 143}):
        return Diagnosis(trouble=Trouble.DELETED, words="the pod is being deleted")
    return None


def _waiting(pod: k8s.V1Pod) -> Diagnosis | None:
    for status in (pod.status.container_statuses if pod.status else None) or []:
        waiting = status.state.waiting if status.state else None
        if waiting is None:
            continue
        for reasons, trouble in ((IMAGE_PROBLEMS, Trouble.IMAGE), (CONFIGURATION_PROBLEMS, Trouble.CONFIGURATION)):
            if waiting.reason in reasons:
                words = f"{_image(pod, status.name)}: {waiting.reason}: {waiting.message or 'no more is known'}"
                return Diagnosis(trouble=trouble, words=words)
    return None


def _unscheduled(pod: k8s.V1Pod) -> Diagnosis | None:
    for condition in (pod.status.conditions if pod.status else None) or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return Diagnosis(trouble=Trouble.NO_ROOM, words=str(condition.message or condition.reason or ""))
    return None


def _image(pod: k8s.V1Pod, container: str) -> str:
    return next((str(candidate.image) for candidate in pod.spec.containers if candidate.name == container), container)


def memory_limit(pod: k8s.V1Pod, container: str) -> str:
    """The memory limit of a container as it was asked for, empty without one."""
    for candidate in pod.spec.containers:
        if candidate.name == container and candidate.resources and candidate.resources.limits:
            return str(candidate.resources.limits.get("memory", ""))
    return ""


def _terminated(pod: k8s.V1Pod | None, container: str) -> k8s.V1ContainerStateTerminated | None:
    for status in (pod.status.container_statuses if pod and pod.status else None) or []:
        if status.name == container and status.state and status.state.terminated:
            return status.state.terminated
    return None
