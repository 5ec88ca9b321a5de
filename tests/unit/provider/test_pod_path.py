"""The Kubernetes path: Airflow's own pod code runs, only the API is in memory."""

import contextlib
import json
import re
from datetime import timedelta

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from continuous_training.exceptions import (
    BadDataError,
    ConfigurationError,
    NothingToDoError,
    TaskContractError,
    TaskError,
    TaskResultMissingError,
    TryLaterError,
)
from continuous_training.operators.clean import CleanOperator
from continuous_training.operators.train import TrainOperator
from continuous_training.testing import Ended, FakeCluster, Running, TaskContext
from ct_contract import TaskResult
from kubernetes.client import models as k8s

pytestmark = pytest.mark.unit

SECRET = "postgresql://pipeline:geheim@db/ct"


def result(task="clean", status="done", code="CLEANED", **other):
    fields = {"task": task, "run_id": "manual__1", "status": status, "code": code, "reason": "Rows were cleaned.", **other}
    return TaskResult(**{"summary": {"batch_id": 3, "rows_in": 9}, **fields})


def clean(**arguments):
    return CleanOperator(**{"task_id": "clean", "batch_id": 3, "log_events_on_startup": False, **arguments})


def train(**arguments):
    given = {"task_id": "train", "batch_id": 3, "retrain_decision_id": "4e", "log_events_on_startup": False, "get_logs": False}
    return TrainOperator(**{**given, **arguments})


@pytest.fixture
def cluster(monkeypatch, configure):
    configure(mlflow_tracking_uri="http://mlflow:5000", namespace="tasks")
    monkeypatch.setenv("CT_DATABASE_URL", SECRET)

    def end_with(*ends):
        rest = list(ends)
        fake = FakeCluster(lambda _pod: rest.pop(0) if len(rest) > 1 else rest[0])
        fake.install(monkeypatch)
        return fake

    return end_with


def event(cluster, status="success", **other):
    [pod] = cluster.created[-1:]
    return {"status": status, "namespace": "tasks", "name": pod.metadata.name, "message": "", **other}


def run(operator, context, cluster, status="success"):
    """Execute, and if the operator defers re-enter with the event that the trigger would send."""
    try:
        return operator.execute(context.values())
    except TaskDeferred:
        return operator.trigger_reentry(context.values(), event(cluster, status))


def variables(pod):
    return {variable.name: variable for variable in pod.spec.containers[0].env}


def test_success_returns_the_result_and_removes_the_pod(cluster):
    api = cluster(Ended(result=result().to_json()))
    returned = clean().execute(TaskContext("clean").values())
    assert TaskResult.from_dict(returned) == result()
    assert api.deleted == [api.created[0].metadata.name]


def test_the_pod_gets_its_input_its_variables_and_its_secret_by_reference(cluster):
    api = cluster(Ended(result=result().to_json()))
    clean(env_vars={"CT_POLICY": "eager", "EXTRA": "1"}).execute(TaskContext("clean", try_number=2).values())
    env = variables(api.created[0])
    assert json.loads(env["CT_INPUT"].value) == {
        "version": 1,
        "task": "clean",
        "dag_id": "continuous_training",
        "run_id": "manual__1",
        "try_number": 2,
        "inputs": {"batch_id": 3},
    }
    assert {name: env[name].value for name in ("CT_POLICY", "EXTRA", "MLFLOW_TRACKING_URI", "CT_MODEL_NAME", "CT_IMAGE")} == {
        "CT_POLICY": "eager",
        "EXTRA": "1",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "CT_MODEL_NAME": "house-prices",
        "CT_IMAGE": "continuous-training/clean:0.1.0",
    }
    reference = env["CT_DATABASE_URL"].value_from.secret_key_ref
    assert (reference.name, reference.key) == ("continuous-training-database", "url")
    assert SECRET not in str(api.created[0])
    assert len(env) == len(api.created[0].spec.containers[0].env)


@pytest.mark.parametrize(
    ("status", "exception", "retried"),
    [(65, BadDataError, False), (75, TryLaterError, True), (99, NothingToDoError, False), (1, TaskError, True)],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_an_exit_status_becomes_the_state_that_it_means(cluster, status, exception, retried, deferrable):
    told = result(status="rejected", code="SKIP_INVALID_BATCH", reason="12 % of the prices are missing.")
    api = cluster(Ended(exit_status=status, result=told.to_json()))
    operator, context = clean(deferrable=deferrable, get_logs=not deferrable), TaskContext("clean")
    with pytest.raises(AirflowException) as caught:
        run(operator, context, api, "failed")
    assert type(caught.value) is exception
    assert isinstance(caught.value, (AirflowFailException, AirflowSkipException)) is not retried
    assert "SKIP_INVALID_BATCH: 12 % of the prices are missing." in str(caught.value)
    assert str(status) in str(caught.value)
    assert context.xcoms["return_value"]["code"] == "SKIP_INVALID_BATCH"
    assert operator.result == told
    assert api.deleted == [api.created[0].metadata.name]


def test_a_failure_tells_the_last_log_lines_and_never_the_environment(cluster, capsys):
    cluster(Ended(exit_status=1, message="ERROR: disk full", log="ERROR: disk full"))
    with pytest.raises(TaskError, match="ERROR: disk full") as caught:
        clean(env_vars={"TOKEN": "very-secret"}).execute(TaskContext("clean").values())
    chain = f"{caught.value} {caught.value.__cause__} {caught.value.__context__} {capsys.readouterr().out}"
    assert "disk full" in chain
    assert "very-secret" not in chain
    assert "CT_INPUT" not in chain


def test_a_killed_container_is_told_as_such(cluster):
    cluster(Ended(exit_status=137))
    with pytest.raises(TaskError, match="killed by SIGKILL; the usual reason is too little memory"):
        clean().execute(TaskContext("clean").values())


@pytest.mark.parametrize("deferrable", [False, True])
def test_no_result_is_a_failure_that_is_retried(cluster, deferrable):
    api = cluster(Ended())
    with pytest.raises(TaskResultMissingError) as caught:
        run(clean(deferrable=deferrable, get_logs=False), TaskContext("clean"), api)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "must be a JSON object"),
        (result().to_json().replace('"version": 1', '"version": 2'), "same release"),
        (result(task="train").to_json(), "the image ran other work"),
        (TaskResult(task="clean", run_id="another", code="CLEANED").to_json(), "the image ran other work"),
        (result(status="skipped").to_json(), "its result says 'skipped'"),
    ],
)
def test_a_result_that_breaks_the_contract_fails_without_a_retry(cluster, text, words):
    cluster(Ended(result=text))
    with pytest.raises(TaskContractError, match=words):
        clean().execute(TaskContext("clean").values())


def test_a_deferred_task_returns_its_result_on_re_entry(cluster):
    api = cluster(Ended(result=result("train", code="TRAINED").to_json()))
    context = TaskContext("train")
    with pytest.raises(TaskDeferred):
        train().execute(context.values())
    assert train().trigger_reentry(context.values(), event(api))["code"] == "TRAINED"


def test_a_pod_that_was_removed_before_re_entry_is_no_silent_success(cluster):
    api = cluster(Ended(result=result("train", code="TRAINED").to_json()))
    context = TaskContext("train")
    with pytest.raises(TaskDeferred):
        train().execute(context.values())
    api.pods.clear()
    with pytest.raises(TaskResultMissingError):
        train().trigger_reentry(context.values(), event(api))


def test_a_retry_that_finds_its_pod_ended_keeps_the_result(cluster):
    api = cluster(Ended(result=result("train", code="TRAINED").to_json()))
    context = TaskContext("train")
    first = train()
    pod = first.build_pod_request_obj(context.values())
    first.get_or_create_pod(pod, context.values())
    context.try_number = 2
    assert train().execute(context.values())["code"] == "TRAINED"
    assert len(api.created) == 1


def test_a_running_pod_is_taken_up_again_and_not_doubled(cluster):
    api = cluster(Ended(result=result().to_json()))
    context = TaskContext("clean")
    first = clean()
    first.get_or_create_pod(first.build_pod_request_obj(context.values()), context.values())
    context.try_number = 2
    assert clean().execute(context.values())["code"] == "CLEANED"
    assert len(api.created) == 1


def test_without_a_node_the_launch_time_out_reaches_the_retry_policy(cluster):
    cluster(None)
    with pytest.raises(PodLaunchTimeoutException):
        clean(startup_timeout_seconds=0, schedule_timeout_seconds=-1).execute(TaskContext("clean").values())


def test_a_deferred_launch_time_out_reaches_the_retry_policy_too(cluster):
    api = cluster(None)
    context = TaskContext("train")
    with pytest.raises(TaskDeferred):
        train().execute(context.values())
    with pytest.raises(PodLaunchTimeoutException, match="took too long"):
        train().trigger_reentry(context.values(), event(api, "timeout", message="Pod took too long to start."))


def test_the_verdict_is_in_the_asset_event(cluster):
    cluster(Ended(result=result().to_json()))
    asset, context = Asset("somewhere"), TaskContext("clean")
    clean(outlets=[asset]).execute(context.values())
    assert context.outlet_events[asset].extra == {
        "task": "clean",
        "code": "CLEANED",
        "reason": "Rows were cleaned.",
        "batch_id": 3,
        "rows_in": 9,
    }


def test_log_lines_keep_their_level(cluster, capsys):
    cluster(Ended(result=result().to_json(), log="INFO: began\nWARNING: 3 rows in quarantine\nERROR: gone"))
    clean().execute(TaskContext("clean").values())
    shown = capsys.readouterr().out
    for level, line in (("info", "INFO: began"), ("warning", "WARNING: 3 rows in quarantine"), ("error", "ERROR: gone")):
        assert re.search(rf"\[{level} *\] \[base\] {line}", shown)


@pytest.mark.parametrize("status", [0, 1, 65, 75, 99, 137])
@pytest.mark.parametrize("deferrable", [False, True])
def test_failed_pods_are_kept_on_request(cluster, configure, capsys, status, deferrable):
    configure(keep_failed_pods=True)
    kept = status not in {0, 99}
    api = cluster(Ended(exit_status=status, result=result().to_json()))
    with contextlib.suppress(AirflowException):
        run(clean(deferrable=deferrable, get_logs=not deferrable), TaskContext("clean"), api, "failed" if status else "success")
    assert bool(api.pods) is kept
    assert ("kubectl --namespace tasks debug clean-" in capsys.readouterr().out) is kept


def test_a_pod_that_still_runs_is_never_kept(cluster, configure):
    configure(keep_failed_pods=True)
    api = cluster(Running(then=None))
    context = TaskContext("train")
    with pytest.raises(TaskDeferred):
        train().execute(context.values())
    with pytest.raises(AirflowException, match="deadline"):
        train().trigger_reentry(context.values(), event(api, "timeout", message="reached the execution_timeout deadline"))
    assert api.pods == {}


def test_a_kept_pod_is_not_taken_for_the_retry(cluster, configure):
    configure(keep_failed_pods=True)
    api = cluster(Ended(exit_status=1), Ended(result=result().to_json()))
    context = TaskContext("clean")
    with pytest.raises(TaskError):
        clean().execute(context.values())
    context.try_number = 2
    assert clean().execute(context.values())["code"] == "CLEANED"
    assert len(api.created) == 2


def test_kill_removes_the_pod(cluster):
    api = cluster(Ended(result=result().to_json()))
    operator, context = clean(), TaskContext("clean").values()
    operator.pod = operator.get_or_create_pod(operator.build_pod_request_obj(context), context)
    operator.on_kill()
    assert api.pods == {}


def test_an_own_reference_to_the_database_wins(cluster):
    api = cluster(Ended(result=result().to_json()))
    own = k8s.V1EnvVar(
        name="CT_DATABASE_URL",
        value_from=k8s.V1EnvVarSource(secret_key_ref=k8s.V1SecretKeySelector(name="mine", key="dsn")),
    )
    clean(env_vars=[own]).execute(TaskContext("clean").values())
    references = [
        v.value_from.secret_key_ref.name for v in api.created[0].spec.containers[0].env if v.name == "CT_DATABASE_URL"
    ]
    assert references == ["mine"]


def test_a_missing_input_is_named_before_anything_starts(cluster):
    api = cluster(Ended())
    with pytest.raises(ConfigurationError, match="clean: the input 'batch_id' has no value"):
        clean(batch_id=None).execute(TaskContext("clean").values())
    assert api.created == []


def test_an_unknown_runner_is_refused(configure):
    configure(runner="lambda")
    with pytest.raises(ConfigurationError, match=r"no runner 'lambda': set .* to kubernetes, docker or process"):
        clean().execute(TaskContext("clean").values())


def test_the_execution_time_out_gives_the_pod_a_last_deadline(cluster):
    api = cluster(Ended(result=result().to_json()))
    clean(execution_timeout=timedelta(minutes=10)).execute(TaskContext("clean").values())
    assert api.created[0].spec.active_deadline_seconds == 900
