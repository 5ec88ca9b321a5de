"""What a task keeps of its call before it starts, in every place, and that it can be read back."""

import json

import pytest
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.sdk.exceptions import TaskDeferred
from continuous_training import pods
from continuous_training.exceptions import ConfigurationError
from continuous_training.kept_calls import KeptCall, KeptCallError
from continuous_training.operators.clean import CleanOperator
from continuous_training.operators.train import TrainOperator
from continuous_training.testing import Ended, FakeCluster, Running, TaskContext
from ct_contract import TaskResult
from kubernetes.client import ApiClient

pytestmark = pytest.mark.unit

DONE = TaskResult(task="clean", run_id="manual__1", code="CLEANED").to_json()


@pytest.fixture
def api(monkeypatch, configure):
    configure(namespace="tasks", service_account="quiet", mlflow_tracking_uri="http://mlflow:5000")
    fake = FakeCluster(lambda _pod: Ended(result=DONE))
    fake.install(monkeypatch)
    return fake


def clean(**arguments):
    return CleanOperator(**{"task_id": "clean", "batch_id": 3, "log_events_on_startup": False, **arguments})


def read(context):
    return KeptCall.from_dict(json.loads(json.dumps(context.xcoms["call"])))


def test_a_pods_task_keeps_its_call_with_the_pod(api):
    context = TaskContext("clean", try_number=2)
    clean(env_vars={"CT_POLICY": "eager"}).execute(context.values())
    kept = read(context)
    assert (kept.task_id, kept.map_index, kept.places.runner) == ("clean", -1, "kubernetes")
    assert (kept.places.namespace, kept.places.pod) == ("tasks", api.created[0].metadata.name)
    assert kept.call.payload.inputs == {"batch_id": 3}
    assert kept.call.env["CT_POLICY"] == "eager"
    assert [(secret.name, secret.secret) for secret in kept.call.secrets] == [
        ("CT_DATABASE_URL", "continuous-training-database")
    ]
    assert kept.call.limits == {"cpu": "1", "memory": "256Mi"}
    assert context.xcoms["debug"]["kubectl_logs"].endswith(f"logs {kept.places.pod} --container base")


def test_the_trigger_of_a_deferred_task_is_told_that_it_is_in_the_cluster(monkeypatch, configure):
    """Its hook would look for a file otherwise, fail, and the task would wait on a worker after all."""
    configure(namespace="tasks")
    FakeCluster(lambda _pod: Running(then=None)).install(monkeypatch)
    with pytest.raises(TaskDeferred) as deferred:
        TrainOperator(task_id="train", batch_id=3, retrain_decision_id="4e").execute(TaskContext("train").values())
    assert deferred.value.trigger.serialize()[1]["in_cluster"] is True


def test_a_deferred_task_keeps_its_call_before_it_waits(monkeypatch, configure):
    configure(namespace="tasks")
    fake = FakeCluster(lambda _pod: Running(then=None))
    fake.install(monkeypatch)
    context = TaskContext("train")
    with pytest.raises(TaskDeferred):
        TrainOperator(task_id="train", batch_id=3, retrain_decision_id="4e").execute(context.values())
    assert read(context).places.pod == fake.created[0].metadata.name


@pytest.mark.parametrize("runner", ["process", "docker"])
def test_a_task_that_cannot_start_has_kept_its_call_all_the_same(configure, monkeypatch, tmp_path, runner):
    monkeypatch.delenv("CT_DATABASE_URL", raising=False)
    configure(environments=tmp_path)
    context = TaskContext("clean", map_index=4)
    with pytest.raises(ConfigurationError, match="needs the secret CT_DATABASE_URL"):
        clean(runner=runner).execute(context.values())
    kept = read(context)
    assert (kept.places.runner, kept.map_index, kept.places.pod) == (runner, 4, "")
    assert "--map-index 4 --runner docker" in context.xcoms["debug"]["docker"]


def test_what_only_a_cluster_gives_is_left_out_there_and_refused_elsewhere(api):
    secrets = [Secret("volume", "/etc/certificates", "certificates")]
    context = TaskContext("clean")
    clean(secrets=secrets).execute(context.values())
    assert [secret.name for secret in read(context).call.secrets] == ["CT_DATABASE_URL"]
    with pytest.raises(ConfigurationError, match="certificates is not one variable"):
        clean(secrets=secrets, runner="docker").execute(context.values())


def test_the_pod_by_hand_is_the_operators_pod(api):
    context = TaskContext("clean")
    clean().execute(context.values())
    kept = read(context)
    ours = ApiClient().sanitize_for_serialization(pods.by_hand(kept.call, kept.places, "by-hand", kept.call.command))["spec"]
    theirs = ApiClient().sanitize_for_serialization(api.created[0])["spec"]
    for name in ("restartPolicy", "serviceAccountName", "automountServiceAccountToken", "securityContext", "volumes"):
        assert ours[name] == theirs[name], name
    for mine, other in zip(ours["containers"], theirs["containers"], strict=True):
        for part in (mine, other):
            part["env"] = sorted(part.get("env", []), key=lambda variable: variable["name"])
        for name in mine:
            assert mine[name] == other[name], name
        assert not [name for name, value in other.items() if value and name not in mine]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _kept: None, "not of version 1"),
        (lambda kept: {**kept, "version": 2}, "not of version 1"),
        (lambda kept: {**kept, "places": {}}, "damaged"),
        (lambda kept: {**kept, "call": {**kept["call"], "payload": {"version": 7}}}, "damaged: .*contract version"),
    ],
)
def test_what_cannot_be_read_says_so(api, damage, words):
    context = TaskContext("clean")
    clean().execute(context.values())
    with pytest.raises(KeptCallError, match=words):
        KeptCall.from_dict(damage(context.xcoms["call"]))
