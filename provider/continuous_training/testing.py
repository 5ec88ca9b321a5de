"""For the tests of DAGs and operators: a Kubernetes API in memory, and the context of a task.

The operator, Airflow's pod manager and the whole way of a pod through them are real; only the API object and the side-car's
``exec`` are not. As pytest fixture:

    from continuous_training.testing import Ended, FakeCluster, TaskContext

    def test_bad_data_is_not_retried(monkeypatch):
        cluster = FakeCluster(lambda pod: Ended(exit_status=65))
        cluster.install(monkeypatch)
        with pytest.raises(BadDataError):
            ValidateOperator(task_id="validate", batch_id=1).execute(TaskContext("validate").values())
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.providers.cncf.kubernetes.utils.pod_manager import EMPTY_XCOM_RESULT, PodManager, XComRetrievalError
from airflow.sdk import BaseHook
from airflow.sdk.execution_time.context import OutletEventAccessors
from kubernetes.client import ApiClient  # type: ignore[import-untyped]
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped]

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the container of a pod ended: exit status, the result file's content (None for no file), log, reason."""

    exit_status: int = 0
    result: str | None = None
    log: str = ""
    message: str | None = None


@dataclass
class FakeCluster:
    """The calls of CoreV1Api that Airflow makes for a pod, in memory.

    ``behave`` is asked once for each new pod; it may run something real. It returns how the container ended, or None for a
    pod that no node ever takes.
    """

    behave: Callable[[k8s.V1Pod], Ended | None]
    pods: dict[str, k8s.V1Pod] = field(default_factory=dict)
    created: list[k8s.V1Pod] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    patched: list[str] = field(default_factory=list)
    api_client: ApiClient = field(default_factory=ApiClient)
    _ends: dict[str, Ended | None] = field(default_factory=dict)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the real cluster until the test ends."""
        connection = classmethod(lambda _cls, _conn_id: SimpleNamespace(extra_dejson={}))
        monkeypatch.setattr(KubernetesHook, "core_v1_client", self)
        monkeypatch.setattr(KubernetesHook, "is_in_cluster", True)
        monkeypatch.setattr(KubernetesHook, "get_connection", connection)
        monkeypatch.setattr(BaseHook, "get_connection", connection)
        monkeypatch.setattr(PodManager, "extract_xcom", lambda _manager, pod, **_: self._result_file(pod.metadata.name))

    def _result_file(self, name: str) -> str:
        ended = self._ends[name]
        if ended is None:
            raise XComRetrievalError(f"airflow-xcom-sidecar container is not running in {name}")
        return EMPTY_XCOM_RESULT if ended.result is None else ended.result

    def create_namespaced_pod(self, body: Any, namespace: str, **_: Any) -> k8s.V1Pod:
        """Take a pod and let its container end at once."""
        pod = self.api_client._ApiClient__deserialize(body, "V1Pod") if isinstance(body, dict) else body
        name = pod.metadata.name
        self._ends[name] = ended = self.behave(pod)
        pod.status = _status(ended)
        self.pods[name] = pod
        self.created.append(pod)
        return pod

    def read_namespaced_pod(self, name: str, namespace: str) -> k8s.V1Pod:
        """The pod, or 404."""
        if name not in self.pods:
            raise ApiException(status=404)
        return self.pods[name]

    def list_namespaced_pod(self, namespace: str, *, label_selector: str = "", **_: Any) -> Any:
        """The pods that have the labels."""
        return SimpleNamespace(items=[pod for pod in self.pods.values() if _selected(pod, label_selector)])

    def list_namespaced_event(self, **_: Any) -> Any:
        """No events."""
        return SimpleNamespace(items=[], metadata=SimpleNamespace(resource_version=None))

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        """Forget the pod."""
        if name not in self.pods:
            raise ApiException(status=404)
        self.deleted.append(name)
        del self.pods[name]

    def patch_namespaced_pod(self, name: str, namespace: str, body: Any) -> None:
        """Add the labels of the patch."""
        self.patched.append(name)
        self.pods[name].metadata.labels.update(body["metadata"]["labels"])

    def read_namespaced_pod_log(self, name: str, **options: Any) -> Any:
        """The log, with time stamps if they are asked for."""
        ended = self._ends[name]
        lines = [line.encode() for line in (ended.log if ended else "").splitlines()]
        if options.get("timestamps"):
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z ").encode()
            lines = [stamp + line for line in lines]
        whole = b"".join(line + b"\n" for line in lines)
        return _LogAnswer(whole)


class _LogAnswer(list[bytes]):
    """What the Kubernetes client gives for a log: lines, or a stream of bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content.splitlines(keepends=True))
        self._content = content

    def stream(self, amt: int | None = None, *, decode_content: bool = True) -> Any:
        """All of it in one piece."""
        return iter([self._content] if self._content else [])


def _status(ended: Ended | None) -> k8s.V1PodStatus:
    if ended is None:
        return k8s.V1PodStatus(phase="Pending")
    now = datetime.now(UTC)
    state = k8s.V1ContainerState(
        terminated=k8s.V1ContainerStateTerminated(exit_code=ended.exit_status, finished_at=now, message=ended.message)
    )
    sidecar = k8s.V1ContainerState(running=k8s.V1ContainerStateRunning(started_at=now))
    statuses = [
        k8s.V1ContainerStatus(name=name, image="", image_id="", ready=False, restart_count=0, state=container)
        for name, container in (("base", state), ("airflow-xcom-sidecar", sidecar))
    ]
    return k8s.V1PodStatus(phase="Running", container_statuses=statuses)


def _selected(pod: k8s.V1Pod, selector: str) -> bool:
    labels = pod.metadata.labels
    for term in filter(None, selector.split(",")):
        if term.startswith("!"):
            good = term[1:] not in labels
        elif "!=" in term:
            name, value = term.split("!=")
            good = labels.get(name) != value
        else:
            name, value = term.split("=")
            good = labels.get(name) == value
        if not good:
            return False
    return True


class TaskStateStore(dict[str, Any]):
    """What Airflow keeps for a task between its tries."""

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Keep a value."""
        self[key] = value


@dataclass
class TaskContext:
    """One task instance outside of Airflow; keep it between two calls of ``values`` for two tries of the same task."""

    task_id: str
    dag_id: str = "continuous_training"
    run_id: str = "manual__1"
    map_index: int = -1
    try_number: int = 1
    start_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    xcoms: dict[str, Any] = field(default_factory=dict)
    outlet_events: OutletEventAccessors = field(default_factory=OutletEventAccessors)
    task_state_store: TaskStateStore = field(default_factory=TaskStateStore)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Keep an XCom."""
        self.xcoms[key] = value

    def values(self) -> Any:
        """The context as an operator's ``execute`` takes it."""
        return {
            "ti": self,
            "run_id": self.run_id,
            "dag": SimpleNamespace(dag_id=self.dag_id),
            "outlet_events": self.outlet_events,
            "task_state_store": self.task_state_store,
        }
