"""Six batches and the end of data, every step in a pod of its own image, and disturbed on the way: the scheduler is killed, a
pod is deleted, one is evicted, the API server stops for half a minute. What is left is what the undisturbed process runner
leaves."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass

import httpx
import numpy as np
import psycopg
import pytest
from kube.kubectl import kubectl, wait_for
from kube.platform import PLATFORM, SCALE, TASKS, values
from kube.pod_watch import PodWatch
from kube.reference import data_source, final_state, load, run_stream, services

holding = load("holding")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

DAG = "group_1"
BATCHES = 6
OUTAGE_SECONDS = 30


@dataclass
class Streamed:
    """What is left after the stream."""

    platform: object
    pods: PodWatch
    states: list[str]
    skipped: list[str]


def wait_for_end(airflow, dag, run, seconds=600):
    deadline = time.monotonic() + seconds
    while (state := airflow.state(dag, run)) in ("queued", "running"):
        assert time.monotonic() < deadline, f"{dag} {run}: {airflow.tasks(dag, run)}"
        time.sleep(0.5)
    return state


def pod_of(pods, run, task, number=0, seconds=90):
    deadline = time.monotonic() + seconds
    while len(found := pods.of(DAG, run, task)) <= number or "Running" not in found[number].phases:
        assert time.monotonic() < deadline, f"no pod {number} of {task} in {run}"
        time.sleep(0.1)
    return found[number].name


def kill_the_scheduler(platform, pods, run):
    """While validate works; it is let go once the next try of the task holds on to the same pod."""
    airflow = platform.airflow
    with holding.held(platform.database_url(), "validate") as reached:
        airflow.trigger(DAG, run)
        reached(lambda: None)
        kubectl("delete", "pods", f"--namespace={PLATFORM}", "--selector=app=airflow-scheduler", "--grace-period=0", "--force")
        deadline = time.monotonic() + 180
        while (task := airflow.task(DAG, run, "validate"))["try_number"] < 2 or task["state"] != "running":
            assert time.monotonic() < deadline, task
            time.sleep(0.5)


def delete_the_pod(platform, pods, run):
    """While collect has copied the rows and not yet said so: the batch is taken from the source, and gone."""
    with holding.held(platform.database_url(), "collect") as reached:
        platform.airflow.trigger(DAG, run)
        reached(lambda: None)
        name = pod_of(pods, run, "collect")
        kubectl("delete", "pod", name, f"--namespace={TASKS}", "--grace-period=0", "--force")


def evict_the_pod(platform, pods, run):
    """While clean works: the kubelet evicts a pod that writes more to its scratch space than it may."""
    with holding.held(platform.database_url(), "clean") as reached:
        platform.airflow.trigger(DAG, run)
        reached(lambda: None)
        name = pod_of(pods, run, "clean")
        fill = "head -c 1200000000 /dev/zero > /tmp/too-much"
        kubectl("exec", name, f"--namespace={TASKS}", "--container=base", "--", "sh", "-c", fill, check=False)
        # The kubelet measures volumes once a minute, or later where it has many, and then gives the pod its time to end.
        deadline = time.monotonic() + 300
        while "Failed" not in pods.of(DAG, run, "clean")[0].phases:
            assert time.monotonic() < deadline, "the pod was not evicted"
            time.sleep(0.2)


def stop_the_api_server(platform, pods, run):
    """While train works."""
    platform.airflow.trigger(DAG, run)
    pod_of(pods, run, "train", seconds=240)
    stop, start = (os.environ.get(f"CT_API_SERVER_{verb}", "") for verb in ("STOP", "START"))
    assert stop, "set CT_API_SERVER_STOP and CT_API_SERVER_START to commands that stop and start the API server"
    subprocess.run(shlex.split(stop), check=True, timeout=60)
    try:
        time.sleep(OUTAGE_SECONDS)
    finally:
        subprocess.run(shlex.split(start), check=True, timeout=120, capture_output=True)
    for forward in platform.forwards.values():
        forward.wait()


DISTURBED = {1: kill_the_scheduler, 2: delete_the_pod, 3: evict_the_pod, 4: stop_the_api_server}


@pytest.fixture(scope="module")
def streamed(platform):
    airflow, pods = platform.airflow, PodWatch(TASKS)
    airflow.wait_for_dag(DAG)
    airflow.wait_for_dag("group_2")
    states = []
    for number in range(BATCHES + 1):
        run = f"batch-{number}"
        if number == BATCHES - 1:
            airflow.trigger("group_2", "batch-0")
        DISTURBED.get(number, lambda platform, pods, run: platform.airflow.trigger(DAG, run))(platform, pods, run)
        states.append(wait_for_end(airflow, DAG, run))
    states.append(wait_for_end(airflow, "group_2", "batch-0"))
    skipped = [task.name for task in airflow.tasks(DAG, f"batch-{BATCHES}") if task.state == "skipped"]
    pods.close()
    return Streamed(platform, pods, states, skipped)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, postgres_server, migrated_template, tracking_uri):
    """The same stream with the process runner on this machine."""
    directory = tmp_path_factory.mktemp("reference")
    with data_source(directory, SCALE) as address:
        world = services.make_world(postgres_server, migrated_template, tracking_uri, address)
        run_stream(world, directory, BATCHES)
    return world


def test_every_run_ends_well_and_the_end_of_data_is_a_skip(streamed):
    assert streamed.states == ["success"] * (BATCHES + 2)
    assert "collect" in streamed.skipped
    assert "promote" in streamed.skipped


def test_every_step_ran_in_a_pod_of_its_own_image(streamed):
    prefix, tag = values()["image_prefix"], values()["image_tag"]
    ran = {pod.labels["task_id"]: pod.image for pod in streamed.pods.pods.values() if pod.labels.get("dag_id") == DAG}
    steps = {task: task for task in ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")} | {
        task: "promote" for task in ran if task == "reject"
    }
    assert ran == {task: f"{prefix}{image}:{tag}" for task, image in steps.items()}


def test_pods_are_restricted_and_have_no_token(streamed):
    for pod in streamed.pods.pods.values():
        assert pod.spec.automount_service_account_token is False
        assert pod.spec.service_account_name == "task"
        assert pod.spec.active_deadline_seconds or pod.labels["task_id"] != "train"
        for container in pod.spec.containers:
            assert container.security_context.read_only_root_filesystem
            assert container.resources.limits["memory"]
            assert "docker.io" not in container.image
            assert not any("postgresql://" in (variable.value or "") for variable in container.env or [])


def test_a_killed_scheduler_finds_the_pod_again(streamed):
    assert len(streamed.pods.of(DAG, "batch-1", "validate")) == 1


def test_a_deleted_and_an_evicted_pod_are_replaced_once(streamed):
    assert len(streamed.pods.of(DAG, "batch-2", "collect")) == 2
    assert len(streamed.pods.of(DAG, "batch-3", "clean")) == 2


def test_an_outage_of_the_api_server_does_not_double_the_pod(streamed):
    assert len(streamed.pods.of(DAG, "batch-4", "train")) == 1


def test_a_training_waits_in_the_triggerer(streamed):
    told = "\n".join(streamed.platform.airflow.log(DAG, "batch-0", "train", 2000))
    assert "Unexpected error while waiting" not in told
    assert "TRAINED" in told


def test_two_groups_run_at_the_same_time(streamed):
    by_dag = {
        dag: {round(t, 0) for pod in streamed.pods.pods.values() if pod.labels.get("dag_id") == dag for t in pod.running}
        for dag in (DAG, "group_2")
    }
    assert by_dag[DAG] & by_dag["group_2"]


def test_nothing_is_left_in_the_namespace(streamed):
    assert kubectl("get", "pods", f"--namespace={TASKS}", "--selector=dag_id in (group_1, group_2)", "--output=name") == ""


@pytest.mark.parametrize("table", final_state.QUERIES)
def test_the_history_is_that_of_the_process_runner(streamed, reference, table):
    url = streamed.platform.database_url()
    found, expected = (final_state.read_database(address)[table] for address in (url, reference.database_url))
    if table == "decisions":
        # The end of data was asked for in the cluster only.
        found = [row for row in found if row["code"] != "SKIP_END_OF_DATA"]
    assert expected
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        final_state.assert_same(ours, {**theirs, "model_name": "house-prices"} if "model_name" in theirs else theirs)


def test_the_champions_give_the_same_prices(streamed, reference, monkeypatch):
    import mlflow
    from ct_store.connection import connect
    from house_prices.frames import read_listings
    from house_prices.scoring import model_input

    with connect("test", reference.database_url) as connection:
        rows = model_input(read_listings(connection, splits=["test"]))
    # As every client of ours: the object store's address is MLflow's own.
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    prices = []
    for tracking_uri, name in (
        (streamed.platform.url("mlflow"), "house-prices"), (reference.tracking_uri, reference.model_name),
    ):  # fmt: skip
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        prices.append(mlflow.pyfunc.load_model(f"models:/{name}@production").predict(rows).to_numpy())
    assert len(rows) > 500
    np.testing.assert_allclose(*prices, rtol=1e-9)


def by_hand(platform, *words):
    """The provider's command line on this machine, as a person calls it."""
    login = {"CT_AIRFLOW_URL": platform.url("airflow"), "CT_AIRFLOW_USERNAME": "admin"}
    return subprocess.run(
        [str(services.ENVIRONMENTS / "airflow" / "bin" / "continuous-training"), "task", *words, "--dag-id", DAG],
        env={**os.environ, **login, "CT_AIRFLOW_PASSWORD": platform.passwords["airflow_admin"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_step_runs_again_by_hand_in_a_pod_and_changes_nothing(streamed):
    """On a scratch copy that the image of that name makes in the cluster, from the object store too."""
    shown = by_hand(streamed.platform, "show", "batch-1", "assess")
    assert "python -m ct_assess" in shown.stdout, shown.stderr
    url = streamed.platform.database_url()
    before = final_state.read_database(url)
    done = by_hand(streamed.platform, "run", "batch-1", "assess", "--runner", "kubernetes")
    assert done.returncode == 0, done.stderr
    decided = streamed.platform.airflow.result(DAG, "batch-1", "assess")
    again = json.loads(done.stdout)
    assert (again["code"], again["reason"]) == (decided["code"], decided["reason"])
    assert again["summary"]["decision_id"] != decided["summary"]["decision_id"]
    assert final_state.read_database(url) == before
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'scratch%'").fetchall() == []
    # Deleting is asked for and done a little later.
    deadline = time.monotonic() + 60
    while pods := kubectl("get", "pods", f"--namespace={TASKS}", "--selector=continuous-training/by-hand", "--output=name"):
        assert time.monotonic() < deadline, pods
        time.sleep(1)


def test_serving_answers_with_the_promoted_version(streamed):
    wait_for("deployment/serving", PLATFORM, "condition=Available", 60)
    deadline = time.monotonic() + 60
    home = {"status": "for_sale", "bed": 3, "bath": 2, "state": "Connecticut", "zip_code": "06016", "house_size": 1600}
    registry = final_state.read_registry(services.ENVIRONMENTS / "promote" / "bin" / "python", streamed.platform.url("mlflow"))
    while True:
        answer = httpx.post(f"{streamed.platform.url('serving')}/predict", json=home, timeout=10, trust_env=False)
        if answer.is_success and answer.json()["model"]["version"] == registry["aliases"]["production"]:
            break
        assert time.monotonic() < deadline, answer.text
        time.sleep(1)
    assert answer.json()["price"] > 0
