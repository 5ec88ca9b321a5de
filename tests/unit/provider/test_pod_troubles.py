"""What a cluster can do to a pod, and what a person reads then. The table "What happens when" of docs/provider.md is this."""

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException, PodManager, XComRetrievalError
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from continuous_training.exceptions import (
    BadDataError,
    ClusterUnavailableError,
    ConfigurationError,
    ImagePullError,
    TaskError,
    TaskResultMissingError,
    TryLaterError,
)
from continuous_training.operators.clean import CleanOperator
from continuous_training.testing import Ended, FakeCluster, Gone, Lost, Running, TaskContext, Waiting
from ct_contract import TaskResult
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.unit

DONE = TaskResult(task="clean", run_id="manual__1", code="CLEANED", reason="Rows were cleaned.").to_json()
REFUSED = TaskResult(task="clean", run_id="manual__1", status="rejected", code="SKIP_INVALID_BATCH").to_json()


@pytest.fixture
def cluster(monkeypatch, configure):
    configure(namespace="tasks")

    def end_with(*fates):
        rest = list(fates)
        fake = FakeCluster(lambda _pod: rest.pop(0) if len(rest) > 1 else rest[0])
        fake.install(monkeypatch)
        return fake

    return end_with


def clean(**arguments):
    return CleanOperator(**{"task_id": "clean", "batch_id": 3, "log_events_on_startup": False, **arguments})


def execute(api, context, *, deferrable, status="failed", message="pod failed"):
    """Execute; a deferred task re-enters with what the trigger would send."""
    operator = clean(deferrable=deferrable, startup_timeout_seconds=0, schedule_timeout_seconds=-1)
    try:
        return operator.execute(context.values())
    except TaskDeferred:
        pod = api.created[-1]
        api.go_on(pod.metadata.name)
        event = {"status": status, "namespace": "tasks", "name": pod.metadata.name, "message": message}
        return clean(deferrable=True).trigger_reentry(context.values(), event)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("fate", "wanted"),
    [
        (Running(then=Ended(exit_status=137, reason="OOMKilled")),
         (TaskError, True, r"clean was killed for using too much memory \(memory limit 256Mi\).*container_resources")),
        (Running(then=Lost(reason="Evicted", message="The node was low on memory.")),
         (TaskError, True, r"the node evicted clean-\w+ \(Evicted: The node was low on memory\.\)\. Half-done work was")),
        (Running(then=Lost(reason="DeadlineExceeded", message="Pod was active too long")),
         (TaskError, True, r"clean-\w+ ran longer than it may \(DeadlineExceeded: Pod was active too long\)")),
        (Running(then=Lost(reason="Shutdown")),
         (TaskError, True, r"the cluster ended clean-\w+ \(Shutdown: no more is known\)")),
        (Running(then=Gone()), (TaskError, True, r"clean: .* was deleted while it ran \(.* not there any more\)")),
        (Waiting(reason="ErrImagePull", message="not found"),
         (ImagePullError, False, r"the image continuous-training/clean:0\.1\.0: ErrImagePull: not found\. Nothing ran")),
        (Waiting(reason="ImagePullBackOff", message="Back-off pulling image"), (ImagePullError, False, "image_pull_secrets")),
        (Waiting(reason="InvalidImageName", message="invalid"), (ImagePullError, False, "image_prefix and image_tag")),
    ],
)  # fmt: skip
def test_each_trouble_says_what_happened(cluster, deferrable, fate, wanted):
    exception, retried, words = wanted
    api = cluster(fate)
    with pytest.raises(AirflowException, match=f"(?s){words}") as caught:
        execute(api, TaskContext("clean"), deferrable=deferrable, status="error" if isinstance(fate, Waiting) else "failed")
    assert type(caught.value) is exception
    assert isinstance(caught.value, AirflowFailException) is not retried
    assert api.pods == {}


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("fate", "exception", "words"),
    [
        (None, PodLaunchTimeoutException, r"took too long.* 0/1 nodes are available: 1 Insufficient memory\."),
        (Waiting(reason="CreateContainerConfigError", message='secret "x" not found'), ConfigurationError,
         r'the container cannot be made: .*: CreateContainerConfigError: secret "x" not found'),
    ],
)  # fmt: skip
def test_a_pod_that_never_starts_says_why(cluster, deferrable, fate, exception, words):
    api = cluster(fate)
    with pytest.raises(AirflowException, match=words) as caught:
        execute(api, TaskContext("clean"), deferrable=deferrable, status="timeout", message="Pod took too long to start.")
    assert type(caught.value) is exception
    assert api.pods == {}


def test_a_verdict_of_the_task_wins_over_what_happened_to_its_pod_afterwards(cluster):
    cluster(Running(then=Ended(exit_status=65, result=REFUSED, reason="Error")))
    with pytest.raises(BadDataError, match="SKIP_INVALID_BATCH"):
        clean().execute(TaskContext("clean").values())


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_silent_api_leaves_the_pod_to_the_next_try(cluster, deferrable):
    api = cluster(Running(then=None))
    context = TaskContext("clean")
    with pytest.raises(ClusterUnavailableError, match=r"clean: the Kubernetes API did not answer .* the next try takes it up"):
        execute(api, context, deferrable=deferrable)
    [pod] = api.created
    assert list(api.pods) == [pod.metadata.name]
    api.come_back(pod.metadata.name, Ended(result=DONE))
    context.try_number = 2
    assert execute(api, context, deferrable=deferrable, status="success")["code"] == "CLEANED"
    assert len(api.created) == 1
    assert api.pods == {}


def test_an_api_that_is_away_from_the_start_is_tried_again(cluster):
    api = cluster(Ended(result=DONE))
    api.away = True
    with pytest.raises(ClusterUnavailableError):
        clean().execute(TaskContext("clean").values())


@pytest.mark.parametrize(
    ("error", "body", "exception", "words"),
    [
        (
            403,
            "pods is forbidden: exceeded quota: tasks, requested: memory=4Gi",
            TryLaterError,
            "quota of the namespace is used up",
        ),
        (403, "pods is forbidden: User cannot create", ConfigurationError, "Airflow's rights there"),
        (404, "namespaces tasks not found", ConfigurationError, r"refused the pod of clean \(404"),
    ],
)
def test_a_pod_that_is_refused_says_why(cluster, error, body, exception, words):
    api = cluster(Ended(result=DONE))
    api.refuse = ApiException(status=error, reason="Forbidden")
    api.refuse.body = body
    with pytest.raises(AirflowException, match=words) as caught:
        clean().execute(TaskContext("clean").values())
    assert type(caught.value) is exception


def test_a_result_that_was_lost_with_its_pod_is_no_success(cluster, monkeypatch):
    cluster(Ended(result=DONE))

    def lose(*_arguments, **_options):
        raise XComRetrievalError("the side-car is not running")

    monkeypatch.setattr(PodManager, "extract_xcom", lose)
    with pytest.raises(TaskResultMissingError, match=r"exit status 0, but its result could not be read: the side-car is not"):
        clean().execute(TaskContext("clean").values())


def test_an_evicted_pod_that_is_kept_is_not_used_again(cluster, configure):
    configure(keep_failed_pods=True)
    api = cluster(Lost(reason="Evicted"), Ended(result=DONE))
    context = TaskContext("clean")
    first = clean()
    first.get_or_create_pod(first.build_pod_request_obj(context.values()), context.values())
    context.try_number = 2
    assert clean().execute(context.values())["code"] == "CLEANED"
    assert len(api.created) == 2
    assert list(api.pods) == [api.created[0].metadata.name]
