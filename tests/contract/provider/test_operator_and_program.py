"""The same real program under the same operator, as a process and as the container of a pod: one meaning for each ending."""

import os
import subprocess
import threading

import pytest
from airflow.sdk.exceptions import AirflowException
from continuous_training import pods
from continuous_training.exceptions import (
    BadDataError,
    ConfigurationError,
    NothingToDoError,
    TaskContractError,
    TaskError,
    TaskResultMissingError,
    TryLaterError,
)
from continuous_training.operators.base import TaskImageOperator
from continuous_training.testing import Ended, FakeCluster, TaskContext

pytestmark = pytest.mark.contract

DATABASE = "postgresql://pipeline:geheim-im-log@db/ct"


SMALL = pods.resources("100m", "256Mi", cpu_limit="1")


class ProbeOperator(TaskImageOperator):
    step = "probe"


def as_container(environments, tmp_path):
    """Run what a pod asks for: its command, its variables, the secret that it refers to, its result file."""

    def behave(pod):
        base = pod.spec.containers[0]
        secrets = {("continuous-training-database", "url"): DATABASE}
        env = {
            variable.name: secrets[(variable.value_from.secret_key_ref.name, variable.value_from.secret_key_ref.key)]
            if variable.value_from
            else variable.value
            for variable in base.env
        }
        path = tmp_path / "return.json"
        command = [str(environments / "probe" / "bin" / base.command[0]), *base.command[1:]]
        done = subprocess.run(
            command, env={**env, "PATH": os.defpath, "CT_RESULT_PATH": str(path)}, capture_output=True, text=True, check=False
        )
        text = path.read_text() if path.exists() else None
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Ended(exit_status=status, result=text, log=done.stdout)

    return behave


@pytest.fixture(params=["process", "docker", "kubernetes"])
def execute(request, environments, tmp_path, monkeypatch, configure):
    monkeypatch.setenv("CT_DATABASE_URL", DATABASE)
    configure(runner=request.param, environments=environments, namespace="tasks")
    FakeCluster(as_container(environments, tmp_path)).install(monkeypatch)
    image = request.getfixturevalue("probe_image") if request.param == "docker" else None

    def run(way, context=None):
        operator = ProbeOperator(
            task_id="probe", image=image, inputs={"way": way}, log_events_on_startup=False, container_resources=SMALL
        )
        context = context or TaskContext("probe")
        return operator.execute(context.values())

    return run


def test_a_result_comes_back(execute):
    returned = execute("done")
    assert (returned["code"], returned["status"], returned["run_id"]) == ("PROBED", "done", "manual__1")
    assert returned["summary"]["secret"] == len(DATABASE)
    for variable in ("CT_POLICY", "CT_MODEL_NAME", "CT_EXPERIMENT", "CT_CODE_VERSION", "CT_SEED", "CT_IMAGE"):
        assert variable in returned["summary"]["variables"]


@pytest.mark.parametrize(
    ("way", "exception", "words"),
    [
        ("bad_data", BadDataError, r"PROBE_BAD_DATA: The probe was told so in manual__1\. \(probe, exit status 65\)"),
        ("try_later", TryLaterError, r"PROBE_TRY_LATER: .* \(probe, exit status 75\)"),
        ("nothing_to_do", NothingToDoError, r"PROBE_NOTHING_TO_DO: .* \(probe, exit status 99\)"),
        ("error", TaskError, r"probe failed \(exit status 1\)"),
        ("crash", TaskError, r"killed by SIGKILL; the usual reason is too little memory"),
        ("no_result", TaskResultMissingError, "left no result"),
        ("bad_json", TaskContractError, "not JSON"),
        ("other_version", TaskContractError, "use an image and a provider of the same release"),
    ],
)
def test_an_ending_means_the_same_everywhere(execute, way, exception, words):
    with pytest.raises(AirflowException, match=words) as caught:
        execute(way)
    assert type(caught.value) is exception


@pytest.mark.parametrize("way", ["bad_data", "try_later", "nothing_to_do"])
def test_the_result_of_a_task_that_did_not_do_is_kept(execute, way):
    context = TaskContext("probe")
    with pytest.raises(AirflowException):
        execute(way, context)
    assert context.xcoms["return_value"]["code"] == f"PROBE_{way.upper()}"
    assert context.xcoms["return_value"]["summary"] == {"batch_id": 3}


def test_the_log_of_a_process_hides_the_secret(environments, monkeypatch, configure, capsys):
    monkeypatch.setenv("CT_DATABASE_URL", DATABASE)
    configure(runner="process", environments=environments)
    ProbeOperator(task_id="probe", inputs={"way": "talk"}).execute(TaskContext("probe").values())
    shown = capsys.readouterr().out
    assert "Error rate: 0.1" in shown
    assert "secret ***" in shown
    assert "geheim-im-log" not in shown


def test_a_missing_environment_fails_without_a_retry(tmp_path, monkeypatch, configure):
    monkeypatch.setenv("CT_DATABASE_URL", DATABASE)
    configure(runner="process", environments=tmp_path)
    with pytest.raises(ConfigurationError, match=r"python3 local/environments\.py probe"):
        ProbeOperator(task_id="probe").execute(TaskContext("probe").values())


def test_a_missing_image_fails_without_a_retry_and_a_silent_engine_is_tried_again(probe_image, monkeypatch, configure):
    monkeypatch.setenv("CT_DATABASE_URL", DATABASE)
    configure(runner="docker")
    with pytest.raises(ConfigurationError, match=r"(?s)the image localhost/none:1: .* Nothing ran"):
        ProbeOperator(task_id="probe", image="localhost/none:1").execute(TaskContext("probe").values())
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(TryLaterError, match="the Docker engine does not answer"):
        ProbeOperator(task_id="probe", image=probe_image).execute(TaskContext("probe").values())


def test_kill_ends_the_container(docker_place, probe_image, monkeypatch, configure, wait_for):
    monkeypatch.setenv("CT_DATABASE_URL", DATABASE)
    configure(runner="docker")
    operator = ProbeOperator(task_id="probe", image=probe_image, inputs={"way": "wait", "file": docker_place.file})
    caught = []

    def follow():
        try:
            operator.execute(TaskContext("probe", run_id=docker_place.owner["run_id"]).values())
        except TaskError as error:
            caught.append(str(error))

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: operator._local is not None)
    wait_for(lambda: docker_place.docker("exec", operator._local.name, "cat", docker_place.file).stdout)
    operator.on_kill()
    thread.join(30)
    assert "killed by SIGTERM" in caught[0]
    assert operator._local.name not in docker_place.docker("ps", "--all", "--format", "{{.Names}}").stdout
