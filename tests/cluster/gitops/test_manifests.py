"""What the real API server says to every object of every environment, in namespaces that enforce restricted pod security."""

from __future__ import annotations

import json
import subprocess

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMESPACES = {"continuous-training": "ct-dry-run", "continuous-training-tasks": "ct-dry-run-tasks"}
NOT_HERE = {
    "Cluster": "CloudNativePG cannot be had where this test runs",
    "ScheduledBackup": "CloudNativePG cannot be had where this test runs",
    "ExternalSecret": "the External Secrets Operator cannot be had where this test runs",
}
MONITORING = {"ServiceMonitor", "PrometheusRule"}
MANAGER = "--field-manager=test"


def asked(objects, *arguments):
    """Let the API server judge the objects; what kubectl said, warnings of the server included."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    command = ["kubectl", "apply", "--server-side", MANAGER, *arguments, "--filename=-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


@pytest.fixture(scope="module", params=["local", "kind", "production"])
def environment(request):
    return request.param


@pytest.fixture(scope="module")
def root(cluster, environment, tmp_path_factory):
    from kube import charts

    if charts.helm() is None:
        pytest.skip("helm is not built: make tools (needs Go)")
    return charts.published(tmp_path_factory.mktemp("charts"), environment)


@pytest.fixture(scope="module")
def objects(root, environment):
    """Every object, in two fresh namespaces made from the charts' own, with the accounts that pods name."""
    from kube import charts
    from kube.kubectl import kubectl

    kubectl("delete", "namespace", *NAMESPACES.values(), "--ignore-not-found", "--wait", "--timeout=180s")
    found = charts.moved(list(charts.everything(root, environment)), NAMESPACES)
    for kinds in (("Namespace",), ("ServiceAccount",)):
        code, _, said = asked(of_kind(found, *kinds))
        assert code == 0, said
    yield found
    kubectl("delete", "namespace", *NAMESPACES.values(), "--wait=false")


def test_the_server_takes_every_object_without_a_warning(objects):
    from kube import charts

    known = charts.known_kinds()
    strange = [one for one in objects if (one["apiVersion"], one["kind"]) not in known]
    assert {one["kind"] for one in strange} <= {*NOT_HERE, *MONITORING}
    taken = [one for one in objects if one not in strange]
    code, said, warnings = asked(taken, "--dry-run=server")
    assert code == 0, warnings
    assert said.count("serverside-applied (server dry run)") == len(taken)
    assert warnings == ""


def test_pods_of_every_workload_pass_restricted_pod_security(objects):
    from kube import charts

    pods = list(charts.pods(objects))
    assert len(pods) >= 10
    code, said, warnings = asked(pods, "--dry-run=server")
    assert code == 0, warnings
    assert said.count("(server dry run)") == len(pods)
    assert warnings == ""


def test_pod_security_is_enforced_there(objects):
    from kube import charts

    pod = next(charts.pods(objects))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    code, _, said = asked([pod], "--dry-run=server")
    assert code != 0
    assert 'violates PodSecurity "restricted' in said


def test_the_server_takes_the_projects_and_applications(root, environment):
    from kube import charts

    found = charts.applications(root, environment)
    if ("argoproj.io/v1alpha1", "Application") not in charts.known_kinds():
        pytest.skip("Argo CD is not in this cluster")
    code, said, warnings = asked(found, "--dry-run=server", "--force-conflicts")
    assert code == 0, warnings
    assert said.count("(server dry run)") == len(found) >= 11


def test_the_server_takes_monitors_and_rules(objects):
    from kube import charts

    if ("monitoring.coreos.com/v1", "ServiceMonitor") not in charts.known_kinds():
        pytest.skip("the Prometheus operator is not in this cluster")
    found = of_kind(objects, *MONITORING)
    assert {one["kind"] for one in found} == MONITORING
    code, said, warnings = asked(found, "--dry-run=server")
    assert (code, warnings) == (0, "")
    assert said.count("(server dry run)") == len(found)
