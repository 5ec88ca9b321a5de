"""From an empty cluster to a running system by one applied object, and what git and Argo CD do with it afterwards.

Needs Argo CD in the cluster and a git server that pods reach: CT_GIT_DIRECTORY and CT_GIT_URL (tests/cluster/kube/gitops.py).
The tests build on each other, in the order of this file.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import urllib.request

import pytest

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not os.environ.get("CT_GIT_DIRECTORY"), reason="no git server: set CT_GIT_DIRECTORY and CT_GIT_URL"),
]

HOME = {"bed": 3, "bath": 2, "acre_lot": 0.2, "house_size": 1600, "zip_code": 601, "state": "Puerto Rico", "city": "Adjuntas",
        "street": 1, "brokered_by": 1, "status": "for_sale"}  # fmt: skip


@pytest.fixture(scope="module")
def repository(cluster, tmp_path_factory):
    """An empty cluster, and the repository on the git server; the root is applied."""
    from kube import gitops
    from kube.kubectl import kubectl

    kubectl("delete", "applications", "--all", f"--namespace={gitops.ARGOCD}", "--wait=false")
    for one in gitops.states():  # an older run's: what they made goes with the namespaces
        kubectl(
            "patch",
            "application",
            one,
            f"--namespace={gitops.ARGOCD}",
            "--type=merge",
            '--patch={"metadata":{"finalizers":null}}',
            check=False,
        )
    kubectl("delete", "namespace", gitops.PLATFORM, gitops.TASKS, "--ignore-not-found", "--wait", "--timeout=300s")
    made = gitops.make_repository(tmp_path_factory.mktemp("gitops"))
    gitops.apply_root(made)
    return made


@pytest.fixture(scope="module")
def ports(repository):
    """Local ports of the services."""
    from kube import gitops
    from kube.kubectl import Forward

    services = {"airflow": 8080, "serving": 8000, "mlflow": 5000}
    forwards = {name: Forward(gitops.PLATFORM, name, port) for name, port in services.items() if name != "serving"}
    yield {name: forward.port for name, forward in forwards.items()}
    for forward in forwards.values():
        forward.close()


def secret(name, key):
    from kube import gitops
    from kube.kubectl import get

    return base64.b64decode(get("secret", name, f"--namespace={gitops.PLATFORM}")["data"][key]).decode()


def address(service, port):
    """A service's own address, which this machine reaches without a forward: requests are spread over pods."""
    from kube import gitops
    from kube.kubectl import get

    return f"http://{get('service', service, f'--namespace={gitops.PLATFORM}')['spec']['clusterIP']}:{port}"


def ask(url, body=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)


def test_the_root_brings_up_everything_but_serving_which_waits_for_a_model(repository):
    from kube import gitops

    def healthy():
        states = gitops.states()
        return all(states.get(name) == ("Synced", "Healthy") for name in gitops.EVERYTHING if name != "serving") or None

    gitops.wait(1200, f"healthy: {gitops.states()}", healthy)
    assert set(gitops.states()) == {*gitops.EVERYTHING, gitops.ROOT_APPLICATION}


def test_the_pipeline_runs_from_git_and_the_api_follows_the_promotion(repository, ports):
    from kube import gitops

    from local.airflow_api import Airflow

    password = json.loads(secret("airflow-passwords", "passwords.json"))["admin"]
    airflow = Airflow(f"http://127.0.0.1:{ports['airflow']}", password)
    airflow.wait_for_dag("house_prices", 300)
    airflow.trigger("house_prices", "first")
    state = gitops.wait(
        1200, "the first run", lambda: (now := airflow.state("house_prices", "first")) in {"success", "failed"} and now
    )
    assert state == "success"
    steps = {task.name for task in airflow.tasks("house_prices", "first") if task.state == "success"}
    assert {"collect", "validate", "clean", "assess", "train", "evaluate", "promote"} <= steps
    gitops.wait(300, "serving", lambda: gitops.states()["serving"] == ("Synced", "Healthy"))
    assert ask(f"{address('serving', 8000)}/predict", HOME)["model"]["version"] == "1"


def test_a_second_synchronisation_changes_nothing(repository):
    from kube import gitops
    from kube.kubectl import get

    def generations():
        kinds = "deployments,statefulsets,services,configmaps,networkpolicies,serviceaccounts"
        items = get(kinds, f"--namespace={gitops.PLATFORM}")["items"]
        return {(one["kind"], one["metadata"]["name"]): one["metadata"].get("generation") for one in items}

    before = generations()
    for name in gitops.EVERYTHING:
        gitops.refresh(name)
    time.sleep(30)
    assert generations() == before
    assert {state for state, _ in gitops.states().values()} == {"Synced"}


def test_a_change_by_hand_is_put_back(repository):
    from kube import gitops
    from kube.kubectl import get, kubectl

    kubectl("set", "env", "deployment/dashboard", f"--namespace={gitops.PLATFORM}", "CT_MODEL_NAME=another")

    def healed():
        [container] = get("deployment", "dashboard", f"--namespace={gitops.PLATFORM}")["spec"]["template"]["spec"]["containers"]
        return {"name": "CT_MODEL_NAME", "value": "house-prices"} in container["env"]

    gitops.wait(120, "the model's name", healed)


def test_a_commit_rolls_serving_without_a_failed_request_and_a_revert_rolls_it_back(repository):
    from kube import gitops
    from kube.kubectl import get

    other = os.environ.get("CT_OTHER_SERVING_TAG")
    if not other:
        pytest.skip("no second tag of the image serving: CT_OTHER_SERVING_TAG")
    url = f"{address('serving', 8000)}/predict"
    answers, ended = [], threading.Event()

    def keep_asking():
        while not ended.is_set():
            try:
                ask(url, HOME)
                answers.append("ok")
            except Exception as error:
                answers.append(repr(error))
            time.sleep(0.05)

    def running():
        pods = get("pods", f"--namespace={gitops.PLATFORM}", "--selector=app.kubernetes.io/name=serving")["items"]
        return {
            pod["spec"]["containers"][0]["image"].rpartition(":")[2]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        }

    [first] = running()
    asking = threading.Thread(target=keep_asking, daemon=True)
    asking.start()
    try:
        commit = repository.bump({"serving": gitops.image("serving", other)}, "deploy(local): serving")
        gitops.settle("serving", commit)
        gitops.wait(300, "the other image", lambda: running() == {other})
        repository.git("revert", "--no-edit", "HEAD")
        repository.git("push", "--quiet", "origin", "main")
        gitops.wait(300, "the first image", lambda: gitops.refresh("serving") or running() == {first})
    finally:
        ended.set()
        asking.join(30)
    assert len(answers) > 100
    assert set(answers) == {"ok"}


def test_a_removed_application_is_pruned_and_comes_back(repository):
    from kube import gitops
    from kube.kubectl import kubectl

    apps = repository.clone / "argocd-apps/environments/local/apps.yaml"
    kept = apps.read_text()
    apps.write_text(kept + "  dashboard: {enabled: false}\n")
    repository.push("without the dashboard")

    def gone():
        gitops.refresh(gitops.ROOT_APPLICATION)
        return "dashboard" not in kubectl("get", "deployments", f"--namespace={gitops.PLATFORM}", "--output=name")

    gitops.wait(180, "no dashboard", gone)
    apps.write_text(kept)
    repository.push("with it again")
    gitops.refresh(gitops.ROOT_APPLICATION)
    gitops.wait(300, "the dashboard", lambda: gitops.states().get("dashboard") == ("Synced", "Healthy"))


def test_what_holds_data_outlives_its_pods(repository, ports):
    from kube import gitops
    from kube.kubectl import kubectl, wait_for

    from local.airflow_api import Airflow

    pods = ["pod/databases-0", "pod/object-store-0"]
    kubectl("delete", *pods, f"--namespace={gitops.PLATFORM}", "--wait", "--timeout=180s")
    for pod in pods:
        gitops.wait(60, pod, lambda pod=pod: kubectl("get", pod, f"--namespace={gitops.PLATFORM}"))
        wait_for(pod, gitops.PLATFORM, "condition=Ready")
    password = json.loads(secret("airflow-passwords", "passwords.json"))["admin"]
    airflow = Airflow(f"http://127.0.0.1:{ports['airflow']}", password)
    assert gitops.wait(180, "the first run", lambda: airflow.state("house_prices", "first")) == "success"
    gitops.wait(180, "serving", lambda: ask(f"{address('serving', 8000)}/predict", HOME)["model"]["version"] == "1")


def test_a_deleted_bucket_comes_back(repository):
    from kube import gitops
    from kube.kubectl import kubectl

    script = "import boto3; s = boto3.resource('s3', endpoint_url='http://object-store:9000'); b = s.Bucket('mlflow');{}"

    def mlflow(code):
        return kubectl("exec", "deployment/mlflow", f"--namespace={gitops.PLATFORM}", "--", "python", "-c", script.format(code))

    mlflow("b.objects.all().delete(); b.delete()")
    gitops.wait(180, "the bucket", lambda: "True" in mlflow("print(b.creation_date is not None)"))
