"""The command line's pods: the probe as the container of a pod in memory; tests/cluster runs one for real."""

import logging

import pytest
from continuous_training.kept_calls import Places
from continuous_training.runners.base import RunnerError, RunnerUnavailableError
from continuous_training.runners.kubernetes import KubernetesRunner
from continuous_training.testing import Ended, FakeCluster, Gone, Lost, Running, Waiting
from ct_contract import ContractError, SecretRef, TaskResult
from kubernetes.client.exceptions import ApiException

DONE = TaskResult(task="probe", run_id="r", code="PROBED").to_json()


@pytest.fixture
def log():
    return logging.getLogger("test-kubernetes-runner")


def places(namespace="tasks", sidecar_image="sidecar:1"):
    return Places(
        runner="kubernetes", environments="", docker_network="", namespace=namespace, service_account="quiet",
        sidecar_image=sidecar_image, scratch_image="", admin=SecretRef(name="", secret="", key=""),
    )  # fmt: skip


def runner(fate, **options):
    api = FakeCluster(lambda _pod: fate)

    def read(_api, _namespace, name):
        state = api.fate(name)
        return (state.result or "") if isinstance(state, Ended) else ""

    return api, KubernetesRunner(places(), api=api, read_result=read, **options)


@pytest.mark.contract
@pytest.mark.parametrize("keep", [False, True])
def test_a_result_comes_back_and_the_pod_is_deleted_unless_it_is_kept(probe_call, log, caplog, keep):
    api, it = runner(Running(then=Ended(result=DONE, log="INFO: began\nWARNING: odd")), keep=keep)
    with caplog.at_level(logging.DEBUG, log.name):
        outcome = it.run(probe_call("done"), log=log)
    assert (outcome.status, outcome.result.code) == (0, "PROBED")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == log.name]
    assert lines[1:3] == [("INFO", "began"), ("WARNING", "odd")]
    assert bool(api.pods) is keep


@pytest.mark.contract
@pytest.mark.parametrize(
    ("fate", "exception", "words"),
    [
        (Waiting(reason="ErrImagePull", message="not found"), RunnerError, r"probe:1: ErrImagePull: not found\. Nothing ran"),
        (Waiting(reason="CreateContainerConfigError", message='secret "s" not found'), RunnerError, 'secret "s" not found'),
        (None, RunnerError, r"did not start within 0 s\. 0/1 nodes are available.*Nothing ran"),
        (Running(then=Lost(reason="Evicted", message="memory")), RunnerUnavailableError, "lost while its task ran .*Evicted"),
        (Running(then=Gone()), RunnerUnavailableError, "deleted while its task ran"),
        (Running(then=None), RunnerUnavailableError, "the Kubernetes API does not answer"),
        (Ended(result="{half"), ContractError, "not JSON"),
    ],
)
def test_what_goes_wrong_is_named(probe_call, log, fate, exception, words):
    _, it = runner(fate, patience=0)
    with pytest.raises(exception, match=words):
        it.run(probe_call("done"), log=log)


@pytest.mark.contract
def test_a_refusal_is_told_in_the_clusters_words(probe_call, log):
    api, it = runner(Ended(result=DONE))
    api.refuse = ApiException(status=403, reason="Forbidden")
    api.refuse.body = '{"message": "pods is forbidden"}'
    with pytest.raises(RunnerError, match="the cluster refused: 403 Forbidden: pods is forbidden"):
        it.run(probe_call("done"), log=log)
