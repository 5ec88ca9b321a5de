"""From an empty cluster to a running system by one applied object, and what git and Argo CD do with it afterwards.

Needs Argo CD in the cluster and a git server that pods reach: CT_GIT_DIRECTORY and CT_GIT_URL (tests/cluster/kube/gitops.py).
The tests build on each other, in the order of this file.
"""

from __future__ import annotations

import os
import time

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]

STATEFUL = ("databases", "object-store")


def ended(airflow):
    """The state of the first run, once it has ended."""
    state = airflow.state("house_prices", "first")
    return state in {"success", "failed"} and state


def test_the_root_brings_up_everything_but_serving_which_waits_for_a_model(repository):
    from kube import gitops

    def healthy():
        states = gitops.states()
        waiting = {name: states.get(name) for name in gitops.EVERYTHING if states.get(name) != ("Synced", "Healthy")}
        return set(waiting) == {"serving"} or waiting

    gitops.wait_for(1200, "everything is healthy", healthy)
    assert set(gitops.states()) == {*gitops.EVERYTHING, gitops.ROOT_APPLICATION}
    # Degraded once the autoscaler has found no ready pod to measure.
    assert gitops.states()["serving"] in {("Synced", "Progressing"), ("Synced", "Degraded")}


def test_the_pipeline_runs_from_git_and_the_api_follows_the_promotion(repository, airflow):
    from kube import gitops
    from kube.load import HOME, ask

    airflow.wait_for_dag("house_prices", 300)
    airflow.trigger("house_prices", "first")
    assert gitops.wait_for(1200, "the first run ends", lambda: ended(airflow)) == "success"
    steps = {task.name for task in airflow.tasks("house_prices", "first") if task.state == "success"}
    assert {"collect", "validate", "clean", "assess", "train", "evaluate", "promote"} <= steps
    gitops.wait_for(300, "serving is healthy", lambda: gitops.is_well("serving"))
    assert ask(gitops.predict_url(), HOME)["model"]["version"] == "1"


def test_the_run_used_the_images_and_the_commit_that_git_names(repository, airflow):
    [version] = airflow.run("house_prices", "first")["dag_versions"]
    assert version["bundle_version"] == repository.git("rev-parse", "HEAD")
    images = repository.images()
    call = airflow.task("house_prices", "first", "train")["rendered_fields"]
    assert call["image"] == f"{images['train']['repository']}:{images['train']['tag']}"


def test_a_second_synchronisation_changes_nothing(repository):
    from kube import gitops

    gitops.wait_for(120, "all are in step with git", lambda: all(gitops.is_well(name) for name in gitops.EVERYTHING))
    before = gitops.contents()
    assert len(before) > 60
    for name in gitops.EVERYTHING:
        gitops.synchronise(name)
    for name in gitops.EVERYTHING:
        gitops.wait_for(300, f"{name} is synchronised again", lambda name=name: gitops.synchronised(name))
    time.sleep(20)  # a quarrel with a controller would come now
    assert gitops.contents() == before
    assert {state for state, _ in gitops.states().values()} == {"Synced"}


def test_a_change_by_hand_is_put_back_and_a_deleted_object_comes_back(repository):
    from kube import gitops
    from kube.kubectl import get, kubectl

    inside = f"--namespace={gitops.PLATFORM}"
    kubectl("set", "env", "deployment/dashboard", inside, "CT_MODEL_NAME=another")
    kubectl("delete", "networkpolicy", "mlflow-server", inside)

    def healed():
        [container] = get("deployment", "dashboard", inside)["spec"]["template"]["spec"]["containers"]
        assert get("networkpolicy", "mlflow-server", inside)
        return {"name": "CT_MODEL_NAME", "value": "house-prices"} in container["env"]

    gitops.wait_for(120, "the model's name and the policy", healed)


def test_a_commit_rolls_serving_without_a_failed_request_and_a_revert_rolls_it_back(repository):
    from kube import gitops
    from kube.load import Load

    other = os.environ.get("CT_OTHER_SERVING_TAG")
    if not other:
        pytest.skip("no second tag of the image serving: CT_OTHER_SERVING_TAG")
    [first] = gitops.serving_tags()
    with Load(gitops.predict_url(), threads=2, pause=0.05) as load:
        commit = repository.bump({"serving": gitops.image("serving", other)}, "deploy(local): serving")
        gitops.settle("serving", commit)
        gitops.wait_for(300, "only the other image", lambda: gitops.serving_tags() == {other})
        rolled = len(load.answers)
        reverted = repository.revert()
        gitops.settle("serving", reverted)
        gitops.wait_for(300, "only the first image", lambda: gitops.serving_tags() == {first})
    assert rolled > 100
    assert len(load.answers) > rolled + 100
    assert load.failures == []


def test_a_removed_manifest_and_a_removed_application_are_pruned_and_come_back(repository):
    from kube import gitops
    from kube.kubectl import kubectl

    inside = f"--namespace={gitops.PLATFORM}"
    apps = repository.clone / "argocd-apps/environments/local/apps.yaml"
    policies = repository.clone / "helm/object-store/templates/network.yaml"
    apps.write_text(apps.read_text() + "  dashboard: {enabled: false}\n")
    policies.unlink()
    repository.push("without the dashboard and the object store's policies")

    def gone():
        gitops.refresh(gitops.ROOT_APPLICATION)
        gitops.refresh("object-store")
        found = kubectl("get", "deployments,networkpolicies", inside, "--output=name")
        return "deployment.apps/dashboard" not in found and "object-store" not in found

    gitops.wait_for(240, "neither is there", gone)
    repository.revert()
    gitops.refresh(gitops.ROOT_APPLICATION)
    gitops.wait_for(300, "the dashboard is healthy", lambda: gitops.is_well("dashboard"))
    gitops.wait_for(120, "the policies", lambda: kubectl("get", "networkpolicy", "object-store-server", inside))


def test_what_holds_data_is_not_removed_with_its_manifest(repository):
    from kube import gitops
    from kube.kubectl import get

    def identities():
        return [get("statefulset", name, f"--namespace={gitops.PLATFORM}")["metadata"]["uid"] for name in STATEFUL]

    def waits_for_a_person(name):
        gitops.refresh(name)
        return "confirmation" in gitops.application(name)["status"]["operationState"].get("message", "")

    before = identities()
    templates = [
        repository.clone / "helm" / path for path in ("databases/templates/plain.yaml", "object-store/templates/store.yaml")
    ]
    kept = [template.read_text() for template in templates]
    for template, text in zip(templates, kept, strict=True):
        template.write_text(text.partition("---\napiVersion: apps/v1\nkind: StatefulSet")[0] + "{{- end }}\n")
    repository.push("without the stores")
    for name in STATEFUL:
        gitops.wait_for(180, f"{name} waits for a person", lambda name=name: waits_for_a_person(name))
    assert identities() == before
    commit = repository.revert()
    for name in STATEFUL:
        gitops.give_up(name)
        gitops.settle(name, commit)
    assert identities() == before


def test_what_holds_data_outlives_its_pods(repository, airflow):
    from kube import gitops
    from kube.kubectl import kubectl, wait_for
    from kube.load import HOME, ask

    pods = [f"pod/{name}-0" for name in STATEFUL]
    kubectl("delete", *pods, f"--namespace={gitops.PLATFORM}", "--wait", "--timeout=180s")
    for pod in pods:
        gitops.wait_for(60, pod, lambda pod=pod: kubectl("get", pod, f"--namespace={gitops.PLATFORM}"))
        wait_for(pod, gitops.PLATFORM, "condition=Ready")
    assert gitops.wait_for(180, "the first run", lambda: airflow.state("house_prices", "first")) == "success"
    model = "http://127.0.0.1:5000/api/2.0/mlflow/registered-models/get?name=house-prices"
    code = f"import urllib.request; print(urllib.request.urlopen('{model}').read().decode())"
    gitops.wait_for(180, "MLflow knows the model", lambda: '"production"' in gitops.inside("deployment/mlflow", code))
    gitops.wait_for(180, "a price by version 1", lambda: ask(gitops.predict_url(), HOME)["model"]["version"] == "1")


BUCKET = """
import boto3, pathlib
kept = pathlib.Path("/tmp/kept")
bucket = boto3.resource("s3", endpoint_url="http://object-store:9000").Bucket("mlflow")
def save():
    for one in bucket.objects.all():
        file = kept / one.key
        file.parent.mkdir(parents=True, exist_ok=True)
        bucket.download_file(one.key, str(file))
    return len(list(bucket.objects.all()))
def delete():
    bucket.objects.all().delete()
    bucket.delete()
    return bucket.creation_date
def restore():
    for file in kept.rglob("*"):
        if file.is_file():
            bucket.upload_file(str(file), str(file.relative_to(kept)))
    return len(list(bucket.objects.all()))
"""


def test_a_deleted_bucket_comes_back(repository):
    from kube import gitops

    def mlflow(expression):
        return gitops.inside("deployment/mlflow", f"{BUCKET}print({expression})").strip()

    saved = mlflow("save()")
    assert int(saved) > 5
    assert mlflow("delete()") == "None"
    gitops.wait_for(180, "the bucket", lambda: mlflow("bucket.creation_date") != "None")
    assert mlflow("restore()") == saved  # nobody else has the files: a person brings them back


def test_serving_gets_a_pod_more_under_load_and_gives_it_back(repository):
    from kube import gitops
    from kube.kubectl import get, kubectl
    from kube.load import Load

    if "metrics.k8s.io" not in kubectl("api-versions"):
        pytest.skip("metrics-server is not in this cluster")
    scaler = ("horizontalpodautoscaler", "serving", f"--namespace={gitops.PLATFORM}")
    least = get(*scaler)["spec"]["minReplicas"]
    gitops.wait_for(300, "as few pods as may be", lambda: get(*scaler)["status"]["currentReplicas"] == least)
    with Load(gitops.predict_url(), threads=6, pause=0.0) as load:
        gitops.wait_for(240, "a pod more", lambda: gitops.ready_replicas("serving") > least)
    assert load.failures == []
    gitops.wait_for(300, "as few again", lambda: gitops.ready_replicas("serving") == least)
    assert gitops.states()["serving"] == ("Synced", "Healthy")
