"""Rows of the reviewers' checklist that are about more than one object: images, credentials, stores, hooks, backups."""

from __future__ import annotations

import copy as copies
import json
import re
from pathlib import Path

import pytest
import yaml
from rendered import Pod, allows, containers, of_kind, pods, title
from restricted import violations

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = sorted((ROOT / "tests/unit/provider/manifests").glob("*.json"))
PLATFORM, TASKS = "continuous-training", "continuous-training-tasks"

PUBLIC = {
    "docker.io/library/postgres",
    "docker.io/prom/statsd-exporter",
    "docker.io/versity/versitygw",
    "docker.io/chrislusf/seaweedfs",
    "ghcr.io/cloudnative-pg/postgresql",
    "quay.io/minio/minio",
}
"""Images of others that somebody looked at and that can be pulled; MinIO's is frozen (docs/adr/0006)."""


def images(objects):
    """Every image of an environment: of pods, and of those that CloudNativePG makes."""
    for name, _, template in pods(objects):
        for container in containers(template):
            yield name, container["image"]
    for cluster in of_kind(objects, "Cluster"):
        yield title(cluster), cluster["spec"]["imageName"]


def repository(image: str) -> str:
    """An image without tag and digest."""
    return re.sub(r":[^:/]+$", "", image.partition("@")[0])


def test_every_image_is_ours_or_one_that_somebody_looked_at(objects, environment):
    allowed = PUBLIC - ({"quay.io/minio/minio", "docker.io/versity/versitygw"} if environment == "production" else set())
    for name, image in images(objects):
        ours = repository(image).startswith("docker.io/you/continuous-training-")
        local = environment == "local" and image.startswith("localhost/")
        assert ours or local or repository(image) in allowed, f"{name}: {image}"


def test_an_image_of_others_has_a_tag_that_names_a_version(objects):
    for name, image in images(objects):
        if "/continuous-training-" not in image:
            tag = image.partition("@")[0].rpartition(":")[2]
            assert re.search(r"\d+[.-]\d+|\d{14}", tag), f"{name}: {image}"


CREDENTIAL = re.compile(
    r"://[^\s/@:{]*:[^\s/@{]+@|-----BEGIN|(?i:password|secret|token)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{12,}"
)


def texts(objects):
    """What is rendered as plain text: configuration, arguments, values of variables."""
    for one in of_kind(objects, "ConfigMap"):
        if not one["metadata"]["name"].startswith("dashboard-"):
            yield from ((f"{title(one)}: {key}", value) for key, value in one["data"].items() if not key.endswith(".py"))
    for name, _, template in pods(objects):
        for container in containers(template):
            words = [*container.get("command", []), *container.get("args", [])]
            words += [variable.get("value", "") for variable in container.get("env", [])]
            yield from ((name, str(word)) for word in words)


def test_no_credential_stands_in_configuration_or_arguments(objects):
    for name, text in texts(objects):
        # {name} is a place that the generator of secrets fills in the cluster.
        assert not CREDENTIAL.search(re.sub(r"\{[a-z_]+\}", "{}", text)), name


@pytest.mark.parametrize("text", ["postgresql://u:hunter2@db/x", "password: aB3dE5gH7jK9mN", "-----BEGIN PRIVATE KEY-----"])
def test_a_credential_would_be_seen(text):
    assert CREDENTIAL.search(text)


def test_the_api_server_takes_every_pod_where_restricted_is_enforced(objects):
    for name, _, template in pods(objects):
        assert violations(template["spec"]) == [], name


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_the_api_server_takes_the_pod_of_every_step_too(manifest):
    spec = json.loads(manifest.read_text())["spec"]
    assert violations(spec) == []
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= container["resources"][bound].keys(), f"{container['name']}: {bound}"


BROKEN = {
    "hostNetwork": lambda spec: spec.update(hostNetwork=True),
    "volume x: hostPath": lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "base: privileged": lambda spec: spec["containers"][0]["securityContext"].update(privileged=True),
    "base: may escalate": lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "base: may be root": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "base: is root": lambda spec: spec["containers"][0]["securityContext"].update(runAsUser=0),
    "base: no seccomp profile": lambda spec: spec["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "base: capabilities": lambda spec: spec["containers"][0]["securityContext"].update(capabilities={"add": ["SYS_ADMIN"]}),
    "base: a port of the node": lambda spec: spec["containers"][0].update(ports=[{"containerPort": 1, "hostPort": 1}]),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_pod_that_is_not_restricted_is_seen(words):
    spec = copies.deepcopy(json.loads(MANIFESTS[0].read_text())["spec"])
    BROKEN[words](spec)
    assert words in violations(spec)


def test_mlflow_keeps_its_records_in_postgresql_and_its_files_in_the_bucket(objects, environment):
    [(_, _, template)] = [found for found in pods(objects) if found[0] == "Deployment/mlflow"]
    [container] = template["spec"]["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    reference = variables["MLFLOW_BACKEND_STORE_URI"]["valueFrom"]["secretKeyRef"]
    assert (reference["name"], reference["key"]) == ("mlflow-database", "url")
    bucket = yaml.safe_load((ROOT / f"argocd-apps/environments/{environment}/object-store.yaml").read_text())
    name = bucket.get("bucket", {}).get("name", "mlflow")
    assert f"--artifacts-destination=s3://{name}/artifacts" in container["args"]
    assert "--serve-artifacts" in container["args"]
    made = next(one for one in of_kind(objects, "Job") if one["metadata"]["name"] == "object-store-bucket")
    assert name in made["spec"]["template"]["spec"]["containers"][0]["command"]
    table = (ROOT / "helm/secrets/templates/_secrets.tpl").read_text()
    assert re.search(r"^mlflow-database:\n  url: postgresql\+psycopg2://", table, re.MULTILINE)
    for _, text in texts(objects):
        assert "sqlite" not in text
        assert "mlruns" not in text


def test_mlflow_answers_to_its_names_only(objects):
    [(_, _, template)] = [found for found in pods(objects) if found[0] == "Deployment/mlflow"]
    [container] = template["spec"]["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    hosts = variables["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert not {"*", "*:*", ""} & set(hosts)
    assert {"mlflow", "mlflow:*", f"mlflow.{PLATFORM}", f"mlflow.{PLATFORM}:*"} <= set(hosts)
    assert variables.get("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE") is None
    assert not [word for word in container["args"] if word.startswith(("--allowed-hosts", "--disable-security"))]


def test_no_image_holds_a_dag_and_every_step_runs_in_its_own(rendered, environment):
    assert not re.search(r"^COPY .*\bdags\b", (ROOT / "provider/Dockerfile").read_text(), re.MULTILINE)
    for name, _, template in pods(rendered(environment)["airflow"].objects):
        mounts = [mount["mountPath"] for container in containers(template) for mount in container.get("volumeMounts", [])]
        assert not [mount for mount in mounts if "dags" in mount], name
    [config] = [one for one in rendered(environment)["airflow"].objects if title(one) == "ConfigMap/airflow"]
    assert config["data"]["AIRFLOW__CONTINUOUS_TRAINING__RUNNER"] == "kubernetes"
    assert config["data"]["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "GitDagBundle" in config["data"]["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]


def test_nothing_is_a_hook_of_helm_only(objects):
    for one in objects:
        annotations = one["metadata"].get("annotations", {})
        if "helm.sh/hook" in annotations:
            assert annotations["argocd.argoproj.io/hook"] == "Sync", title(one)


def test_scheduled_jobs_end_and_do_not_pile_up(objects):
    for one in of_kind(objects, "CronJob"):
        assert one["spec"]["concurrencyPolicy"] == "Forbid", title(one)
        job = one["spec"]["jobTemplate"]["spec"]
        assert job["activeDeadlineSeconds"] <= 7200, title(one)
        assert job["backoffLimit"] <= 3, title(one)


def test_what_rolls_back_by_git_alone_is_rolled_back(rendered):
    """The image file is the only place that names a version: the digest in it is the one that runs."""
    for name, _, template in pods(rendered("production")["serving"].objects):
        [container] = containers(template)
        assert re.fullmatch(
            r"docker\.io/you/continuous-training-serving:0\.1\.0-g0123456789ab@sha256:[0-9a-f]{64}", container["image"]
        )
        assert "imagePullPolicy" not in container, f"{name}: a digest is never pulled anew"


def instances(objects):
    """The pods of PostgreSQL as CloudNativePG makes them: its own labels, and what the Cluster hands down."""
    for cluster in of_kind(objects, "Cluster"):
        own = {
            "cnpg.io/cluster": cluster["metadata"]["name"],
            "cnpg.io/podRole": "instance",
            "app.kubernetes.io/name": "postgresql",
            "app.kubernetes.io/instance": cluster["metadata"]["name"],
            "app.kubernetes.io/component": "database",
            "app.kubernetes.io/managed-by": "cloudnative-pg",
        }
        handed = cluster["spec"].get("inheritedMetadata", {}).get("labels", {})
        yield Pod(cluster["metadata"]["namespace"], tuple({**own, **handed}.items()))


@pytest.mark.parametrize("environment", ["production", "kind"])
def test_who_needs_the_database_reaches_cloudnativepg_and_nobody_else_does(rendered, environment):
    objects = [one for render in rendered(environment).values() for one in render.objects]
    policies = of_kind(objects, "NetworkPolicy")
    [server] = list(instances(objects))
    operator = Pod("cnpg-system", ())
    found = {"task"} if allows(policies, Pod(TASKS, (("component", "train"),)), server, 5432) else set()
    for _, _, template in pods(objects):
        labels = template["metadata"]["labels"]
        if allows(policies, Pod(PLATFORM, tuple(labels.items())), server, 5432):
            found.add(f"{labels['app.kubernetes.io/name']}/{labels['app.kubernetes.io/component']}")
    clients = {f"airflow/{part}" for part in ("api-server", "scheduler", "dag-processor", "triggerer", "migration")}
    clients |= {"databases/setup", "databases/exporter", "mlflow/server", "serving/api", "dashboard/pages", "task"}
    assert found - {"databases/backup"} == clients
    assert allows(policies, server, server, 5432), "replicas follow the primary"
    assert allows(policies, operator, server, 8000), "the operator asks each instance"
    assert not allows(policies, operator, server, 5432)


def test_credentials_name_a_server_that_is_there(rendered, environment):
    values = yaml.safe_load((ROOT / f"argocd-apps/environments/{environment}/secrets.yaml").read_text()) or {}
    host = values.get("database", {}).get("host", "databases.continuous-training").partition(".")[0]
    objects = rendered(environment)["databases"].objects
    services = {one["metadata"]["name"] for one in of_kind(objects, "Service")}
    services |= {f"{one['metadata']['name']}-rw" for one in of_kind(objects, "Cluster")}
    assert host in services


def test_the_plain_database_is_dumped_every_night(rendered):
    objects = rendered("local")["databases"].objects
    [job] = of_kind(objects, "CronJob")
    assert re.fullmatch(r"\d+ \d+ \* \* \*", job["spec"]["schedule"])
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    [script] = container["args"]
    for database in ("continuous_training", "mlflow", "airflow"):
        assert database in script
    assert "pg_dumpall --roles-only" in script
    volumes = {one["name"]: one for one in job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]}
    assert "persistentVolumeClaim" in volumes["backup"]


def test_an_image_of_others_is_pinned_by_the_image_file_as_ours_are(helm_template):
    pinned = f"docker.io/prom/statsd-exporter:v0.30.0@sha256:{'4' * 64}"
    repository, _, rest = pinned.partition(":")
    tag, _, digest = rest.partition("@")
    image = json.dumps({"statsd-exporter": {"repository": repository, "tag": tag, "digest": digest}})
    done = helm_template("airflow", "--set=dags.repository=x", f"--set-json=global.images={image}")
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert pinned in {image for _, image in images(objects)}
