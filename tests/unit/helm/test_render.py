"""Charts render, are valid for Kubernetes, refuse wrong values, and are the same at every rendering."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from rendered import of_kind

from tools import run_tool

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
CHARTS = sorted(path.parent.name for path in (ROOT / "helm").glob("*/values.yaml"))
OLDEST, NEWEST = "1.31.0", "1.37.0"
KINDS = (
    "configmap-v1.json",
    "cronjob-batch-v1.json",
    "deployment-apps-v1.json",
    "horizontalpodautoscaler-autoscaling-v2.json",
    "job-batch-v1.json",
    "limitrange-v1.json",
    "namespace-v1.json",
    "networkpolicy-networking-v1.json",
    "persistentvolumeclaim-v1.json",
    "poddisruptionbudget-policy-v1.json",
    "resourcequota-v1.json",
    "role-rbac-v1.json",
    "rolebinding-rbac-v1.json",
    "service-v1.json",
    "serviceaccount-v1.json",
    "statefulset-apps-v1.json",
)
OTHERS = {"ServiceMonitor", "PrometheusRule", "ExternalSecret", "Cluster", "ScheduledBackup"}
"""Kinds of operators, which the API server of the cluster test knows and Kubernetes' own schemas do not."""


def test_what_is_written_from_values_is_up_to_date():
    done = subprocess.run(
        [sys.executable, "helm/document.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_library_is_locked_for_every_chart(copy, tmp_path):
    locks = {path.read_text() for path in (ROOT / "helm").glob("*/Chart.lock")}
    assert len(locks) == 1
    assert len(list((ROOT / "helm").glob("*/Chart.lock"))) == len(CHARTS)
    shutil.copytree(copy / "helm", tmp_path / "helm", ignore=shutil.ignore_patterns("charts"))
    done = run_tool("helm", "dependency", "build", tmp_path / "helm" / "serving")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """Kubernetes' own schemas of both versions, each with its definitions inside: kubeconform follows no links over files."""
    directory = tmp_path_factory.mktemp("schemas")
    for version in (OLDEST, NEWEST):
        source = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
        definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
        (directory / f"v{version}").mkdir()
        for name in KINDS:
            schema = json.loads((source / name).read_text()) | {"$defs": definitions}
            text = json.dumps(schema).replace("/api/_definitions.json#", "#")
            (directory / f"v{version}" / name).write_text(text)
    return f"-schema-location={directory}/{{{{.NormalizedKubernetesVersion}}}}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_objects_are_valid_for_the_oldest_and_the_newest_kubernetes(objects, version, schemas, tmp_path):
    manifest = tmp_path / "all.yaml"
    own = [one for one in objects if one["kind"] not in OTHERS]
    manifest.write_text(yaml.safe_dump_all(own))
    done = run_tool("kubeconform", "-strict", "-summary", "-output=json", f"-kubernetes-version={version}", schemas, manifest)
    summary = json.loads(done.stdout)
    assert done.returncode == 0, summary["resources"]
    assert summary["summary"] == {"valid": len(own), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("spec", ["{ports: [{port: many}]}", "{ports: [{port: 80}], typo: 1}"])
def test_kubeconform_sees_a_wrong_type_and_an_unknown_key(schemas, spec, tmp_path):
    manifest = tmp_path / "wrong.yaml"
    manifest.write_text(f"apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec: {spec}\n")
    done = run_tool("kubeconform", "-strict", "-output=json", f"-kubernetes-version={NEWEST}", schemas, manifest)
    assert [one["status"] for one in json.loads(done.stdout)["resources"]] == ["statusInvalid"]


def test_a_second_rendering_is_the_same_to_the_byte(render, rendered, applications, environment):
    for application in applications(environment):
        if application["kind"] == "Application" and "source" in application["spec"]:
            name = application["metadata"]["name"]
            assert render(application).stdout == rendered(environment)[name].text, name


@pytest.mark.parametrize("chart", CHARTS)
def test_values_that_nobody_declared_are_refused(helm_template, chart):
    done = helm_template(chart, "--set=dags.repository=x" if chart == "airflow" else "--set=global.x=1", "--set=typo=1")
    assert done.returncode != 0
    assert "typo" in done.stderr


@pytest.mark.parametrize(
    ("chart", "arguments", "word"),
    [
        ("serving", ["--set=image.tag=latest"], "image/tag"),
        ("serving", ["--set=image.digest=sha256:1"], "image/digest"),
        ("serving", ["--set=global.images.serving.tag=latest"], "images/serving/tag"),
        ("serving", ["--set=global.requirePublished=true"], "nothing was published yet"),
        ("serving", ["--set=global.requireDigest=true"], "has no digest"),
        ("serving", ["--set=image.tag="], "image/tag"),
        ("serving", ['--set-json=resources={"requests":{"cpu":"many"}}'], "resources/requests/cpu"),
        ("databases", ["--set=engine=oracle"], "engine"),
        ("secrets", ["--set=engine=external-secrets"], "externalSecrets.store"),
        ("airflow", [], "dags.repository is empty"),
        ("mlflow", ["--set=ingress.enabled=true"], "ingress.host"),
        ("argocd-apps", [], "repository is empty"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(helm_template, chart, arguments, word):
    done = helm_template(chart, *arguments)
    assert done.returncode != 0
    assert word in done.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_schemas_are_schemas_and_take_the_defaults(chart):
    schema = json.loads((ROOT / "helm" / chart / "values.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load((ROOT / "helm" / chart / "values.yaml").read_text()) or {}, schema)


@pytest.mark.parametrize("engine", ["plain", "cloudnativepg", "external"])
def test_every_engine_of_the_databases_has_the_same_setup(helm_template, engine):
    objects = [one for one in yaml.safe_load_all(helm_template("databases", f"--set=engine={engine}").stdout) if one]
    assert [one["metadata"]["name"] for one in of_kind(objects, "Job")] == ["databases-setup"]
    assert bool(of_kind(objects, "StatefulSet")) == (engine == "plain")
    assert bool(of_kind(objects, "Cluster")) == (engine == "cloudnativepg")


@pytest.mark.parametrize("engine", ["minio", "versitygw", "seaweedfs", "external"])
def test_every_engine_of_the_object_store_has_the_same_bucket(helm_template, engine):
    done = helm_template("object-store", f"--set=engine={engine},external.endpoint=https://s3.example.org")
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    [job] = of_kind(objects, "Job")
    [container] = job["spec"]["template"]["spec"]["containers"]
    endpoint = {variable["name"]: variable.get("value") for variable in container["env"]}["AWS_ENDPOINT_URL_S3"]
    outside = engine == "external"
    assert endpoint == ("https://s3.example.org" if outside else "http://object-store.continuous-training:9000")
    assert bool(of_kind(objects, "StatefulSet")) == (not outside)
