"""What only the process runner does: environments, process groups, an end with its launcher."""

import logging
import sys
import time
from pathlib import Path

import pytest
from continuous_training.runners.base import RunnerError

pytestmark = [pytest.mark.contract]


@pytest.fixture
def log():
    return logging.getLogger("test-process-runner")


def test_a_task_sees_its_own_variables_and_no_others(process_place, log):
    told = process_place.runner().run(process_place.call("done"), log=log).result.summary
    ours = {"CT_INPUT", "CT_RESULT_PATH", "CT_POLICY", "CT_DATABASE_URL", "PYTHONUNBUFFERED"}
    allowed = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    allowed |= {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy"}
    allowed |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    shell = {"PWD", "SHLVL", "_", "PYTHONPATH", "LC_CTYPE"}  # made by the probe's own start script
    assert ours <= set(told["variables"]) <= ours | allowed | shell


def test_nothing_is_left_of_a_run(process_place, log):
    directory = Path(process_place.runner().run(process_place.call("done"), log=log).result.summary["directory"])
    assert not directory.exists()


def test_the_order_of_lines_is_kept(process_place, log, caplog):
    with caplog.at_level(logging.DEBUG, log.name):
        process_place.runner().run(process_place.call("talk"), log=log)
    lines = [record.getMessage() for record in caplog.records if record.name == log.name]
    assert lines[3:7] == ["Error rate: 0.1", "Error rate of a library: 0.2", "\\xff no text", "secret ***"]


def test_a_missing_environment_says_how_to_make_it(process_place, log):
    with pytest.raises(RunnerError, match=r"no Python environment for the train image.*python3 local/environments.py train"):
        process_place.runner().run(process_place.call("done", task="train"), log=log)


def test_only_python_programs_are_started(process_place, log):
    with pytest.raises(RunnerError, match="Python programs only, not 'sh -c true'"):
        process_place.runner().run(process_place.call("done", command=("sh", "-c", "true")), log=log)


def test_a_child_does_not_outlive_its_task(process_place, log, wait_for):
    began = time.monotonic()
    assert process_place.runner().run(process_place.call("orphan", file=process_place.file), log=log).status == 0
    assert time.monotonic() - began < 20
    assert process_place.started()
    wait_for(lambda: not process_place.running())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on the parent's death is Linux's")
def test_a_task_ends_when_its_launcher_is_killed(process_place, wait_for, launcher):
    with launcher(
        process_place.call("wait", file=process_place.file), f"ProcessRunner({str(process_place.environments)!r})"
    ) as it:
        wait_for(process_place.started)
        it.kill()
        it.wait()
    wait_for(lambda: not process_place.running())
