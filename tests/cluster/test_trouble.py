"""Tasks that cannot end well: what Airflow makes of each is what docs/provider.md says."""

from __future__ import annotations

import time

import pytest
from kube.kubectl import get
from kube.platform import TASKS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

DAG, RUN = "trouble", "trouble-1"


@pytest.fixture(scope="module")
def trouble(platform):
    """Airflow after every task of the DAG has had its tries, or waits for the next."""
    airflow = platform.airflow
    airflow.wait_for_dag(DAG)
    airflow.trigger(DAG, RUN)
    settled = {"failed", "up_for_retry", "success"}
    deadline = time.monotonic() + 300
    names = ("wrong_image", "out_of_memory", "no_room", "bad_data")
    while True:
        found = {name: airflow.task(DAG, RUN, name) for name in names}
        if all(task["state"] in settled for task in found.values()) and found["out_of_memory"]["state"] == "failed":
            return airflow, found
        assert time.monotonic() < deadline, {name: task["state"] for name, task in found.items()}
        time.sleep(1)


def log_of(airflow, task):
    return "\n".join(airflow.log(DAG, RUN, task, 200))


def test_a_wrong_image_fails_at_once_and_names_the_image(trouble):
    airflow, found = trouble
    assert (found["wrong_image"]["state"], found["wrong_image"]["try_number"]) == ("failed", 1)
    assert "localhost/continuous-training/no-such-image:1" in log_of(airflow, "wrong_image")


def test_a_task_without_memory_is_retried_and_then_fails_with_the_reason(trouble):
    airflow, found = trouble
    assert (found["out_of_memory"]["state"], found["out_of_memory"]["try_number"]) == ("failed", 2)
    assert "too much memory (memory limit 8Mi)" in log_of(airflow, "out_of_memory")


def test_without_room_the_task_waits_for_a_later_try(trouble):
    airflow, found = trouble
    assert found["no_room"]["state"] == "up_for_retry"
    assert "Insufficient cpu" in log_of(airflow, "no_room")


def test_bad_data_fails_at_once_with_the_code(trouble):
    airflow, found = trouble
    assert (found["bad_data"]["state"], found["bad_data"]["try_number"]) == ("failed", 1)
    assert "UNKNOWN_BATCH" in log_of(airflow, "bad_data")


def test_nothing_is_left_behind(trouble):
    deadline = time.monotonic() + 60
    while pods := get("pods", f"--namespace={TASKS}", f"--selector=dag_id={DAG}")["items"]:
        assert time.monotonic() < deadline, [pod["metadata"]["name"] for pod in pods]
        time.sleep(1)
