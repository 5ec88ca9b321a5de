"""What the cluster did to a pod, as an exception that Airflow understands and that tells what to do."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import KubernetesApiException
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import models as k8s  # type: ignore[import-untyped]
from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from continuous_training.exceptions import (
    ClusterUnavailableError,
    ConfigurationError,
    ImagePullError,
    TaskError,
    TryLaterError,
)
from continuous_training.pod_status import Diagnosis, Trouble, api_words

ROLLED_BACK = "Half-done work was rolled back, so it can be run again"

TROUBLES: Mapping[Trouble, tuple[type[AirflowException], str]] = {
    Trouble.IMAGE: (
        ImagePullError,
        "{task}: the cluster cannot have the image {words}. Nothing ran. Push or load the image, or set [continuous_training] "
        "image_prefix and image_tag; a private registry needs image_pull_secrets. Then clear the task",
    ),
    Trouble.CONFIGURATION: (
        ConfigurationError,
        "{task}: the container cannot be made: {words}. Nothing ran. Secrets are named by [continuous_training] "
        "database_secret and by the operator's arguments. Then clear the task",
    ),
    Trouble.NO_ROOM: (PodLaunchTimeoutException, "{task}: no node has room for {pod}: {words}. Nothing ran"),
    Trouble.OUT_OF_MEMORY: (
        TaskError,
        "{task} was killed for using too much memory ({words}). " + ROLLED_BACK + "; give it more by container_resources if "
        "it happens again",
    ),
    Trouble.EVICTED: (TaskError, "{task}: the node evicted {pod} ({words}). " + ROLLED_BACK),
    Trouble.DEADLINE: (TaskError, "{task}: {pod} ran longer than it may ({words}). " + ROLLED_BACK),
    Trouble.ENDED_BY_CLUSTER: (TaskError, "{task}: the cluster ended {pod} ({words}). " + ROLLED_BACK),
    Trouble.DELETED: (
        TaskError,
        "{task}: {pod} was deleted while it ran ({words}), by a person, a drained node or a clean-up. " + ROLLED_BACK,
    ),
}
"""What is raised for each, and in which words."""


def is_away(error: BaseException | None) -> bool:
    """Whether an error means that the Kubernetes API did not answer, or not now."""
    if isinstance(error, ApiException):
        return not error.status or int(error.status) >= 500
    return isinstance(error, (HTTPError, KubernetesApiException))


def away(task: str, error: BaseException) -> ClusterUnavailableError:
    """The exception for a Kubernetes API that is away."""
    return ClusterUnavailableError(
        f"{task}: the Kubernetes API did not answer ({error}). A pod that was started goes on, and the next try takes it up "
        "again; after the last try it is deleted"
    )


def refusal(task: str, error: ApiException) -> AirflowException:
    """The exception for a pod that the API would not make."""
    told = f"{error.status} {error.reason}: {api_words(error)}"
    words = f"the cluster refused the pod of {task} ({told}). Nothing ran"
    if "exceeded quota" in str(error.body):
        return TryLaterError(f"{words}. The quota of the namespace is used up: a retry helps when other pods have ended")
    return ConfigurationError(f"{words}. Check [continuous_training] namespace and service_account, and Airflow's rights there")


def trouble(task: str, found: Diagnosis, pod: k8s.V1Pod | None) -> AirflowException:
    """The exception for what happened to the pod of a task."""
    kind, text = TROUBLES[found.trouble]
    return kind(text.format(task=task, pod=pod.metadata.name if pod is not None else "its pod", words=found.words))
