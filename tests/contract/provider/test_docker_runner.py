"""What only the Docker runner does: a tight container, and one container of a task at most, whatever happened before."""

import json
import logging
import subprocess
import threading

import pytest
from continuous_training.runners import engine
from continuous_training.runners.base import RunnerError, RunnerUnavailableError

pytestmark = pytest.mark.contract

OWNER = "DockerRunner({owner!r}, environ=os.environ)"


@pytest.fixture
def log():
    return logging.getLogger("test-docker-runner")


@pytest.fixture
def running(docker_place, log, wait_for):
    """The container of a task that waits, followed by a thread of this process."""
    runner = docker_place.runner()
    thread = threading.Thread(
        target=lambda: runner.run(docker_place.call("wait", file=docker_place.file), log=log), daemon=True
    )
    thread.start()
    wait_for(docker_place.started)
    yield docker_place
    runner.stop()
    thread.join(120)


def orphan(docker_place, wait_for, launcher, way="wait", **inputs):
    """A container whose launcher was killed."""
    call = docker_place.call(way, file=docker_place.file, **inputs)
    with launcher(call, OWNER.format(owner=docker_place.owner)) as it:
        wait_for(docker_place.started)
        it.kill()
        it.wait()
    return call


def test_the_container_is_as_tight_as_a_pod(running):
    [told] = json.loads(running.docker("inspect", running.container).stdout)
    host = told["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (256 * 2**20, 256 * 2**20, 10**9)
    assert host["NetworkMode"] == "host"
    assert told["Config"]["User"] == "10001"
    labels = {name: value for name, value in told["Config"]["Labels"].items() if name.startswith("continuous-training.")}
    assert labels["continuous-training.run_id"] == running.owner["run_id"]
    assert (labels["continuous-training.task_id"], labels["continuous-training.task"]) == ("probe", "probe")
    assert "geheim" not in json.dumps(labels)


def test_the_secret_is_on_no_command_line(running):
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "docker start" in shown
    assert "geheim" not in shown


def test_nothing_is_left_of_a_run(docker_place, log):
    before = docker_place.docker("volume", "ls", "--quiet").stdout
    docker_place.runner().run(docker_place.call("done"), log=log)
    assert not docker_place.exists()
    assert docker_place.docker("volume", "ls", "--quiet").stdout == before


def test_too_much_memory_is_told_as_such(docker_place, log):
    outcome = docker_place.runner().run(docker_place.call("greedy"), log=log)
    assert (outcome.status, outcome.result) == (137, None)
    assert "too little memory" in outcome.describe()


def test_the_next_try_takes_up_what_a_killed_launcher_left_running(docker_place, log, wait_for, launcher, caplog):
    call = orphan(docker_place, wait_for, launcher, seconds=5)
    assert docker_place.running()
    first = docker_place.docker("inspect", "--format", "{{.Id}}", docker_place.container).stdout
    with caplog.at_level(logging.INFO, log.name):
        outcome = docker_place.runner().run(call, log=log)
    assert outcome.result.code == "PROBED"
    assert [record for record in caplog.records if "Took up the container" in record.getMessage()]
    assert first
    assert not docker_place.exists()


def test_the_next_try_takes_the_result_of_one_that_has_ended_since(docker_place, log, wait_for, launcher):
    call = orphan(docker_place, wait_for, launcher, seconds=2)
    wait_for(lambda: not docker_place.running())
    began = docker_place.docker("inspect", "--format", "{{.State.StartedAt}}", docker_place.container).stdout
    outcome = docker_place.runner(keep=True).run(call, log=log)
    assert outcome.result.code == "PROBED"
    assert docker_place.docker("inspect", "--format", "{{.State.StartedAt}}", docker_place.container).stdout == began


def test_another_call_of_the_same_task_ends_the_old_container_first(docker_place, log, wait_for, launcher):
    orphan(docker_place, wait_for, launcher)
    old = docker_place.docker("inspect", "--format", "{{.Id}}", docker_place.container).stdout.strip()
    assert docker_place.runner().run(docker_place.call("done"), log=log).result.code == "PROBED"
    assert docker_place.docker("inspect", old).returncode != 0


def test_a_container_that_was_made_and_never_started_is_replaced(docker_place, log):
    docker_place.docker("create", "--name", docker_place.container, "--entrypoint", "true", docker_place.image)
    assert docker_place.runner().run(docker_place.call("done"), log=log).result.code == "PROBED"


@pytest.mark.parametrize("seen", ["gone", "removing"])
def test_a_container_that_somebody_removes_is_a_loss_that_a_retry_may_help(docker_place, log, wait_for, monkeypatch, seen):
    """Also where the engine is seen while it removes: it has killed the task, and that is no end of its own."""
    caught = []

    def follow():
        try:
            docker_place.runner().run(docker_place.call("wait", file=docker_place.file), log=log)
        except RunnerUnavailableError as error:
            caught.append(str(error))

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(docker_place.started)
    if seen == "removing":
        state = {"Status": "removing", "Running": False, "ExitCode": 137}
        monkeypatch.setattr(engine, "inspect", lambda _name, _environ: {"State": state})
    docker_place.docker("rm", "--force", "--volumes", docker_place.container)
    thread.join(120)
    assert caught == [f"the container {docker_place.container} was removed while its task ran; its work was rolled back"]


def test_a_missing_image_is_named_with_what_to_do(docker_place, log):
    with pytest.raises(RunnerError, match=r"(?s)from the image localhost/none:1: .* Nothing ran. Build or pull") as caught:
        docker_place.runner().run(docker_place.call("done", image="localhost/none:1"), log=log)
    assert not isinstance(caught.value, RunnerUnavailableError)
    assert not docker_place.exists()


def test_a_program_that_is_not_in_the_image_is_named(docker_place, log):
    with pytest.raises(RunnerError, match=r"could not be started: .*no-such-program.* Nothing ran"):
        docker_place.runner().run(docker_place.call("done", command=("no-such-program",)), log=log)
    assert not docker_place.exists()


def test_an_engine_that_is_away_is_tried_again(docker_place, log):
    environ = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": "tcp://127.0.0.1:9", "CT_DATABASE_URL": "x"}
    with pytest.raises(RunnerUnavailableError, match="the Docker engine does not answer"):
        docker_place.runner(environ=environ).run(docker_place.call("done"), log=log)


def test_a_container_is_kept_on_request(docker_place, log):
    docker_place.runner(keep=True).run(docker_place.call("error"), log=log)
    assert "an unexpected thing" in docker_place.docker("logs", docker_place.container).stdout
