"""What every task pod has unless a DAG says otherwise: tight security, a place for temporary files, labels, our side-car.

No Airflow here: the operators and the command line build their pods from the same pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ct_contract import SecretRef, TaskCall
from ct_contract.call import INPUT_VARIABLE
from kubernetes.client import models as k8s  # type: ignore[import-untyped]

from continuous_training.kept_calls import Places
from continuous_training.names import BASE, RESULT_FOLDER, SIDECAR

SECCOMP = {"type": "RuntimeDefault"}

POD_SECURITY: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": SECCOMP}

CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

SIDECAR_SECURITY: dict[str, Any] = {**CONTAINER_SECURITY, "runAsNonRoot": True, "runAsUser": 65532}
"""The user is named, so that a side-car image of another maker does not run as root."""

SIDECAR_COMMAND = ["sh", "-c", 'trap "exit 0" INT TERM; while true; do sleep 1; done;']
"""Airflow's own ignores SIGTERM, and a deleted pod would keep its memory for the whole grace period."""

SCRATCH = "scratch"

SCRATCH_LIMIT = "1Gi"
"""A task that fills its /tmp is evicted alone, before it fills the node's disk and everybody is."""

RESULT = "xcom"

BY_HAND = "continuous-training/by-hand"
"""The label of the pods that a person started; Airflow never takes one for its own."""

BY_HAND_SECONDS = 8 * 3600
"""After that a pod that a person forgot ends by itself."""

DEADLINE_MARGIN = 300
"""Seconds between a task's execution time-out and the moment when the kubelet ends its pod by itself."""


def resources(cpu: str, memory: str, *, cpu_limit: str) -> k8s.V1ResourceRequirements:
    """Requests and limits; those of memory are the same, for memory above its request is what gets a pod evicted."""
    return k8s.V1ResourceRequirements(
        requests={"cpu": cpu, "memory": memory},
        limits={"cpu": cpu_limit, "memory": memory},
    )


SIDECAR_RESOURCES = resources("5m", "32Mi", cpu_limit="500m")
"""Next to nothing; the limit of CPU is for the moment when the result is read, which the task waits for."""


def labels(task: str) -> dict[str, str]:
    """Labels that are the same in every try: Airflow finds a running pod again by them."""
    return {"app.kubernetes.io/part-of": "continuous-training", "app.kubernetes.io/component": task}


def variables(env: Mapping[str, str], references: Iterable[SecretRef]) -> list[k8s.V1EnvVar]:
    """Values as they are, secrets by reference."""
    plain = [k8s.V1EnvVar(name=name, value=value) for name, value in env.items()]
    return plain + [
        k8s.V1EnvVar(
            name=reference.name,
            value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name=reference.secret, key=reference.key)),
        )
        for reference in references
    ]


def add_scratch(pod: k8s.V1Pod, container: str) -> None:
    """Give the container an empty /tmp, which a read-only root file system lacks; keeps one that is already there."""
    [base] = [candidate for candidate in pod.spec.containers if candidate.name == container]
    mounts = base.volume_mounts or []
    if any(mount.mount_path == "/tmp" for mount in mounts):  # noqa: S108 - a path in the pod
        return
    base.volume_mounts = [*mounts, k8s.V1VolumeMount(name=SCRATCH, mount_path="/tmp")]  # noqa: S108
    pod.spec.volumes = [*(pod.spec.volumes or []), _scratch_volume()]


def _scratch_volume() -> k8s.V1Volume:
    return k8s.V1Volume(name=SCRATCH, empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=SCRATCH_LIMIT))


def set_sidecar(pod: k8s.V1Pod, image: str | None, own_resources: Any) -> None:
    """Make Airflow's side-car ours: its image unless None, its resources unless it has some, an end at SIGTERM."""
    for container in pod.spec.containers:
        if container.name == SIDECAR:
            container.command = SIDECAR_COMMAND
            container.image = image or container.image
            container.image_pull_policy = "IfNotPresent"
            container.resources = own_resources or SIDECAR_RESOURCES


def by_hand(call: TaskCall, places: Places, name: str, command: Sequence[str]) -> k8s.V1Pod:
    """The pod of a call that a person runs: what the operator's has, but for what a DAG adds of its own to the pod."""
    result = k8s.V1VolumeMount(name=RESULT, mount_path=RESULT_FOLDER)
    base = k8s.V1Container(
        name=BASE,
        image=call.image,
        image_pull_policy="IfNotPresent",
        command=list(command),
        env=[*variables(call.env, call.secrets), *variables({INPUT_VARIABLE: call.payload.to_json()}, ())],
        resources=k8s.V1ResourceRequirements(requests=dict(call.requests), limits=dict(call.limits)),
        security_context=CONTAINER_SECURITY,
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[result],
    )
    sidecar = k8s.V1Container(name=SIDECAR, security_context=SIDECAR_SECURITY, volume_mounts=[result])
    pod = k8s.V1Pod(
        api_version="v1",
        kind="Pod",
        metadata=k8s.V1ObjectMeta(name=name, labels={**labels(call.payload.task), BY_HAND: "true"}),
        spec=k8s.V1PodSpec(
            containers=[base, sidecar],
            restart_policy="Never",
            service_account_name=places.service_account or None,
            automount_service_account_token=False,
            security_context=POD_SECURITY,
            active_deadline_seconds=BY_HAND_SECONDS,
            volumes=[k8s.V1Volume(name=RESULT, empty_dir=k8s.V1EmptyDirVolumeSource())],
        ),
    )
    add_scratch(pod, BASE)
    set_sidecar(pod, places.sidecar_image, None)
    return pod
