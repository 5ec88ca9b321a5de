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
from urllib3.exceptions import HTTPError

from continuous_training.names import BASE, SIDECAR

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the container of a pod ended: exit status, the result file's content (None for no file), log, last words, reason."""

    exit_status: int = 0
    result: str | None = None
    log: str = ""
    message: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A pod that has a node and does not start: the reason for which its container waits (``ErrImagePull``), and the words."""

    reason: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A pod that the cluster ended: the reason in its status (``Evicted``), and the words."""

    reason: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A pod that somebody deleted."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A pod whose container runs until its log is read, and what becomes of it then."""

    then: Ended | Lost | Gone | None
    """None: nothing, and the API itself goes away (`FakeCluster.away`)."""


Fate = Ended | Waiting | Lost | Running | None
"""What becomes of a pod; None for one that no node ever takes."""


@dataclass
class FakeCluster:
    """The calls of CoreV1Api that Airflow makes for a pod, in memory.

    ``behave`` is asked once for each new pod; it may run something real. ``refuse`` is an error in the place of a new pod.
    While ``away`` is set, the API does not answer.
    """

    behave: Callable[[k8s.V1Pod], Fate]
    refuse: ApiException | None = None
    away: bool = False
    pods: dict[str, k8s.V1Pod] = field(default_factory=dict)
    created: list[k8s.V1Pod] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    patched: list[str] = field(default_factory=list)
    api_client: ApiClient = field(default_factory=ApiClient)
    _fates: dict[str, Fate] = field(default_factory=dict)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the real cluster until the test ends."""
        connection = classmethod(lambda _cls, _conn_id: SimpleNamespace(extra_dejson={}))
        monkeypatch.setattr(KubernetesHook, "core_v1_client", self)
        monkeypatch.setattr(KubernetesHook, "is_in_cluster", True)
        monkeypatch.setattr(KubernetesHook, "get_connection", connection)
        monkeypatch.setattr(BaseHook, "get_connection", connection)
        monkeypatch.setattr(PodManager, "extract_xcom", lambda _manager, pod, **_: self._result_file(pod.metadata.name))

    def _result_file(self, name: str) -> str:
        fate = self._fates[name]
        if not isinstance(fate, (Ended, Running)):
            raise XComRetrievalError(f"airflow-xcom-sidecar container is not running in {name}")
        return fate.result if isinstance(fate, Ended) and fate.result is not None else EMPTY_XCOM_RESULT

    def _answer(self) -> None:
        if self.away:
            raise HTTPError("connection refused")

    def create_namespaced_pod(self, body: Any, namespace: str, **_: Any) -> k8s.V1Pod:
        """Take a pod and let become of it what `behave` says."""
        self._answer()
        if self.refuse is not None:
            raise self.refuse
        pod = self.api_client._ApiClient__deserialize(body, "V1Pod") if isinstance(body, dict) else body
        name = pod.metadata.name
        self._fates[name] = fate = self.behave(pod)
        pod.status = _status(fate)
        self.pods[name] = pod
        self.created.append(pod)
        return pod

    def read_namespaced_pod(self, name: str, namespace: str) -> k8s.V1Pod:
        """The pod, or 404."""
        self._answer()
        if name not in self.pods:
            raise ApiException(status=404)
        return self.pods[name]

    def list_namespaced_pod(self, namespace: str, *, label_selector: str = "", **_: Any) -> Any:
        """The pods that have the labels."""
        self._answer()
        return SimpleNamespace(items=[pod for pod in self.pods.values() if _selected(pod, label_selector)])

    def list_namespaced_event(self, **_: Any) -> Any:
        """No events."""
        return SimpleNamespace(items=[], metadata=SimpleNamespace(resource_version=None))

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        """Forget the pod."""
        self._answer()
        if name not in self.pods:
            raise ApiException(status=404)
        self.deleted.append(name)
        del self.pods[name]

    def patch_namespaced_pod(self, name: str, namespace: str, body: Any) -> None:
        """Add the labels of the patch."""
        self._answer()
        self.patched.append(name)
        self.pods[name].metadata.labels.update(body["metadata"]["labels"])

    def read_namespaced_pod_log(self, name: str, **options: Any) -> Any:
        """The log, with time stamps if they are asked for."""
        self._answer()
        self.go_on(name)
        fate = self._fates[name]
        lines = [line.encode() for line in (fate.log if isinstance(fate, Ended) else "").splitlines()]
        if options.get("timestamps"):
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z ").encode()
            lines = [stamp + line for line in lines]
        whole = b"".join(line + b"\n" for line in lines)
        return _LogAnswer(whole)

    def go_on(self, name: str) -> None:
        """Let become of a running pod what its fate says; others stay as they are."""
        fate = self._fates[name]
        if not isinstance(fate, Running):
            return
        if fate.then is None:
            self.away = True
        elif isinstance(fate.then, Gone):
            del self.pods[name]
        else:
            self._fates[name] = fate.then
            self.pods[name].status = _status(fate.then)

    def fate(self, name: str) -> Fate:
        """What has become of a pod."""
        return self._fates[name]

    def come_back(self, name: str, fate: Ended) -> None:
        """Let the API answer again; meanwhile the pod's container has ended."""
        self.away = False
        self._fates[name] = fate
        self.pods[name].status = _status(fate)


class _LogAnswer(list[bytes]):
    """What the Kubernetes client gives for a log: lines, or a stream of bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content.splitlines(keepends=True))
        self._content = content

    def stream(self, amt: int | None = None, *, decode_content: bool = True) -> Any:
        """All of it in one piece."""
        return iter([self._content] if self._content else [])


def _status(fate: Fate) -> k8s.V1PodStatus:
    now = datetime.now(UTC)
    running = k8s.V1ContainerState(running=k8s.V1ContainerStateRunning(started_at=now))
    scheduled = k8s.V1PodCondition(type="PodScheduled", status="True")
    match fate:
        case Ended():
            ended = k8s.V1ContainerStateTerminated(
                exit_code=fate.exit_status, finished_at=now, message=fate.message, reason=fate.reason
            )
            statuses = _containers(k8s.V1ContainerState(terminated=ended), running)
            return k8s.V1PodStatus(phase="Running", container_statuses=statuses)
        case Running():
            return k8s.V1PodStatus(phase="Running", container_statuses=_containers(running, running))
        case Waiting():
            state = k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason=fate.reason, message=fate.message))
            return k8s.V1PodStatus(phase="Pending", conditions=[scheduled], container_statuses=_containers(state, running))
        case Lost():
            state = k8s.V1ContainerState(terminated=k8s.V1ContainerStateTerminated(exit_code=137, finished_at=now))
            return k8s.V1PodStatus(
                phase="Failed", reason=fate.reason, message=fate.message, container_statuses=_containers(state, state)
            )
        case None:
            message = "0/1 nodes are available: 1 Insufficient memory."
            unscheduled = k8s.V1PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message=message)
            return k8s.V1PodStatus(phase="Pending", conditions=[unscheduled])


def _containers(base: k8s.V1ContainerState, sidecar: k8s.V1ContainerState) -> list[k8s.V1ContainerStatus]:
    return [
        k8s.V1ContainerStatus(name=name, image="", image_id="", ready=False, restart_count=0, state=state)
        for name, state in ((BASE, base), (SIDECAR, sidecar))
    ]


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
    max_tries: int = 2
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
