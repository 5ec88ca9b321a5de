"""The process runner and a real program, through every way of ending."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from continuous_training.runners.base import RunnerError
from continuous_training.runners.process import ProcessRunner
from ct_contract import ContractError, SecretRef, TaskCall, TaskInput

pytestmark = pytest.mark.contract

ENVIRON = {**os.environ, "CT_DATABASE_URL": "postgresql://u:geheim@h/db", "AIRFLOW__CORE__FERNET_KEY": "no business of a task"}


def call(way, *, command=("python", "-m", "ct_probe"), task="probe", **inputs):
    return TaskCall(
        image="probe:1",
        command=command,
        payload=TaskInput(task=task, dag_id="d", run_id="r", inputs={"way": way, **inputs}),
        env={"CT_POLICY": "eager"},
        secrets=(SecretRef(name="CT_DATABASE_URL", secret="s", key="url"),),
    )


@pytest.fixture
def runner(environments):
    return ProcessRunner(environments, environ=ENVIRON, grace=1.0)


@pytest.fixture
def log():
    return logging.getLogger("test-process-runner")


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def pid_in(file):
    wait_for(lambda: file.exists() and file.read_text())
    return int(file.read_text())


@pytest.mark.parametrize(
    ("way", "status", "code"),
    [
        ("done", 0, "PROBED"),
        ("bad_data", 65, "PROBE_BAD_DATA"),
        ("try_later", 75, "PROBE_TRY_LATER"),
        ("nothing_to_do", 99, "PROBE_NOTHING_TO_DO"),
        ("error", 1, None),
        ("crash", -signal.SIGKILL, None),
        ("no_result", 0, None),
    ],
)
def test_status_and_result_come_back(runner, log, way, status, code):
    outcome = runner.run(call(way), log=log)
    assert outcome.status == status
    assert (outcome.result and outcome.result.code) == code


@pytest.mark.parametrize(("way", "words"), [("bad_json", "not JSON"), ("other_version", "same release")])
def test_a_broken_result_is_named(runner, log, way, words):
    with pytest.raises(ContractError, match=words):
        runner.run(call(way), log=log)


def test_a_task_sees_its_own_variables_and_no_others(runner, log):
    told = runner.run(call("done"), log=log).result.summary
    ours = {"CT_INPUT", "CT_RESULT_PATH", "CT_POLICY", "CT_DATABASE_URL", "PYTHONUNBUFFERED"}
    allowed = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    allowed |= {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy"}
    allowed |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    shell = {"PWD", "SHLVL", "_", "PYTHONPATH", "LC_CTYPE"}  # made by the probe's own start script
    assert ours <= set(told["variables"]) <= ours | allowed | shell
    assert told["secret"] == len(ENVIRON["CT_DATABASE_URL"])


def test_nothing_is_left_of_a_run(runner, log):
    directory = Path(runner.run(call("done"), log=log).result.summary["directory"])
    assert not directory.exists()


def test_lines_are_logged_at_their_level(runner, log, caplog):
    with caplog.at_level(logging.DEBUG, log.name):
        assert runner.run(call("talk"), log=log).status == 0
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == log.name]
    assert lines[:7] == [
        ("INFO", "plain"),
        ("WARNING", "two"),
        ("WARNING", "lines"),
        ("CRITICAL", "Error rate: 0.1"),
        ("INFO", "Error rate of a library: 0.2"),
        ("INFO", "\\xff no text"),
        ("INFO", "secret ***"),
    ]
    assert lines[7] == ("INFO", "x" * 200_000)
    assert lines[8][1].startswith("no end of line")


def test_a_missing_environment_says_how_to_make_it(runner, log):
    with pytest.raises(RunnerError, match=r"no Python environment for the train image.*python3 local/environments.py train"):
        runner.run(call("done", task="train"), log=log)


def test_a_missing_secret_is_named_and_nothing_runs(environments, log, tmp_path):
    file = tmp_path / "pid"
    with pytest.raises(RunnerError, match="needs the secret CT_DATABASE_URL"):
        ProcessRunner(environments, environ={"PATH": os.defpath}).run(call("wait", file=str(file)), log=log)
    assert not file.exists()


def test_only_python_programs_are_started(runner, log):
    with pytest.raises(RunnerError, match="Python programs only, not 'sh -c true'"):
        runner.run(call("done", command=("sh", "-c", "true")), log=log)


@pytest.mark.parametrize(("way", "statuses"), [("wait", {143}), ("stubborn", {-signal.SIGKILL})])
def test_stop_ends_the_task_gently_then_firmly(runner, log, tmp_path, way, statuses):
    file, outcomes = tmp_path / "pid", []
    thread = threading.Thread(target=lambda: outcomes.append(runner.run(call(way, file=str(file)), log=log)))
    thread.start()
    pid = pid_in(file)
    runner.stop()
    thread.join(20)
    assert not running(pid)
    assert {outcome.status for outcome in outcomes} == statuses
    assert outcomes[0].result is None


def test_a_child_does_not_outlive_its_task(runner, log, tmp_path):
    file = tmp_path / "pid"
    began = time.monotonic()
    assert runner.run(call("orphan", file=str(file)), log=log).status == 0
    assert time.monotonic() - began < 20
    wait_for(lambda: not running(pid_in(file)))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on the parent's death is Linux's")
def test_a_task_ends_when_its_launcher_is_killed(environments, tmp_path):
    file = tmp_path / "pid"
    source = tmp_path / "input.json"
    source.write_text(call("wait", file=str(file)).payload.to_json())
    program = (
        "import logging, sys; from pathlib import Path\n"
        "from ct_contract import TaskCall, TaskInput\n"
        "from continuous_training.runners.process import ProcessRunner\n"
        f"payload = TaskInput.from_json(Path({str(source)!r}).read_text())\n"
        "call = TaskCall(image='', command=('python', '-m', 'ct_probe'), payload=payload)\n"
        f"ProcessRunner({str(environments)!r}).run(call, log=logging.getLogger())"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program])
    pid = pid_in(file)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not running(pid))
