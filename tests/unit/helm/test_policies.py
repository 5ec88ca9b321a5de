"""Each row of the reviewers' checklist, over every object that any environment renders to."""

from __future__ import annotations

import re

import pytest
from rendered import Pod, allows, containers, of_kind, pods, title

pytestmark = pytest.mark.unit

PLATFORM, TASKS = "continuous-training", "continuous-training-tasks"
STATEFUL = {"databases", "object-store"}
SERVERS = ("Deployment", "StatefulSet")


def test_there_is_something_to_look_at(objects):
    assert len(list(pods(objects))) >= 13
    assert all("namespace" in one["metadata"] for one in objects if one["kind"] != "Namespace")


def test_no_secret_is_rendered_and_nothing_looks_like_a_password(objects):
    assert not of_kind(objects, "Secret")
    for name, _, template in pods(objects):
        for container in containers(template):
            for variable in container.get("env", []):
                if re.search(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|DATABASE_URL|STORE_URI|SQL_ALCHEMY", variable["name"]):
                    assert "secretKeyRef" in variable.get("valueFrom", {}), f"{name}: {variable['name']}"


def test_every_image_is_named_by_a_version_and_ours_by_digest(objects, environment):
    for name, _, template in pods(objects):
        for container in containers(template):
            image = container["image"]
            tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
            assert tag, f"{name}: {image}"
            assert tag != "latest", f"{name}: {image}"
            if environment == "production" and "/continuous-training-" in image:
                assert re.search(r"@sha256:[0-9a-f]{64}$", image), f"{name}: {image}"


def test_local_pulls_nothing(rendered):
    for render in rendered("local").values():
        for name, _, template in pods(render.objects):
            for container in containers(template):
                ours = "/continuous-training-" in container["image"]
                assert ours or container["image"].startswith("localhost/"), f"{name}: {container['image']}"


def test_every_server_says_when_it_lives_and_when_it_is_ready(objects):
    for name, one, template in pods(objects):
        if one["kind"] in SERVERS:
            for container in containers(template, initial=False):
                assert {"livenessProbe", "readinessProbe"} <= container.keys(), name


def test_liveness_asks_nobody_else(objects):
    for name, _, template in pods(objects):
        for container in containers(template, initial=False):
            path = container.get("livenessProbe", {}).get("httpGet", {}).get("path", "")
            assert "ready" not in path, name
            assert path != "/api/v2/monitor/health", name


def test_every_container_asks_for_memory_and_cpu_and_gets_no_more_memory_than_it_asked_for(objects):
    for name, _, template in pods(objects):
        for container in containers(template):
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), name
            assert resources["limits"]["memory"] == resources["requests"]["memory"], name
            assert "cpu" in resources["limits"], name


def test_pods_are_restricted(objects):
    for name, _, template in pods(objects):
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        for container in containers(template):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert not own.get("privileged"), name
            assert not any("hostPort" in port for port in container.get("ports", [])), name


def test_volumes_are_none_of_the_node_s_and_bounded(objects):
    for name, _, template in pods(objects):
        for volume in template["spec"].get("volumes", []):
            assert "hostPath" not in volume, name
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], f"{name}: {volume['name']}"


def test_only_those_who_ask_the_cluster_have_a_token(objects):
    with_token = {name for name, _, template in pods(objects) if template["spec"]["automountServiceAccountToken"]}
    allowed = {"StatefulSet/airflow-scheduler", "StatefulSet/airflow-triggerer", "Job/secrets-generator"}
    assert with_token <= allowed
    assert {"StatefulSet/airflow-scheduler", "StatefulSet/airflow-triggerer"} <= with_token


def test_services_stay_inside(objects):
    for service in of_kind(objects, "Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP", title(service)
    assert not of_kind(objects, "Ingress")


def test_every_service_selects_the_pods_of_one_workload_and_ports_that_they_have(objects):
    for service in of_kind(objects, "Service"):
        selector = service["spec"]["selector"].items()
        found = [(one, template) for _, one, template in pods(objects) if selector <= template["metadata"]["labels"].items()]
        assert len(found) == 1, title(service)
        names = {port["name"] for container in containers(found[0][1]) for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names, title(service)


def test_no_rule_has_a_star_and_no_role_reaches_the_whole_cluster(objects):
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding")
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]], title(role)
            if "secrets" in rule["resources"]:
                assert role["metadata"]["name"] == "secrets-generator"
                assert rule["verbs"] == ["create"] or rule["resourceNames"]
                assert not {"list", "watch", "delete", "update"} & set(rule["verbs"])


def test_namespaces_take_restricted_pods_only_and_are_never_pruned(objects):
    found = of_kind(objects, "Namespace")
    assert {one["metadata"]["name"] for one in found} == {PLATFORM, TASKS}
    for one in found:
        assert {one["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {
            "restricted"
        }
        assert one["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


def test_the_tasks_namespace_has_a_quota_and_limits(objects):
    [quota] = of_kind(objects, "ResourceQuota")
    [limits] = of_kind(objects, "LimitRange")
    assert quota["metadata"]["namespace"] == limits["metadata"]["namespace"] == TASKS
    assert {"pods", "requests.cpu", "limits.cpu", "requests.memory", "limits.memory"} <= quota["spec"]["hard"].keys()


def test_every_environment_backs_its_databases_up(rendered, environment):
    objects = rendered(environment)["databases"].objects
    assert of_kind(objects, "CronJob", "ScheduledBackup")


def test_replicas_are_spread_and_a_drain_leaves_one(objects):
    budgets = {title(one): one["spec"] for one in of_kind(objects, "PodDisruptionBudget")}
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of_kind(objects, "HorizontalPodAutoscaler")}
    for name, one, template in pods(objects):
        if one["kind"] not in SERVERS:
            continue
        if one["metadata"]["name"] != "databases-exporter":
            assert template["spec"]["topologySpreadConstraints"], name
        scaling = scaled.get(one["metadata"]["name"])
        assert (scaling is None) == ("replicas" in one["spec"]), f"{name}: replicas in git fight the autoscaler"
        replicas = scaling["minReplicas"] if scaling else one["spec"]["replicas"]
        labels = template["metadata"]["labels"].items()
        covered = [budget for budget in budgets.values() if budget["selector"]["matchLabels"].items() <= labels]
        assert len(covered) == (1 if replicas > 1 else 0), name


def test_serving_scales_and_rolls_without_a_gap(objects):
    [autoscaler] = of_kind(objects, "HorizontalPodAutoscaler")
    assert autoscaler["spec"]["minReplicas"] >= 2
    [(_, deployment, template)] = [found for found in pods(objects) if found[0] == "Deployment/serving"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    [container] = template["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert template["spec"]["terminationGracePeriodSeconds"] >= sleep + 20


def test_what_cannot_be_made_again_goes_only_when_somebody_confirms(objects):
    kept = [one for one in objects if one["metadata"]["name"] in STATEFUL and one["kind"] in ("StatefulSet", "Cluster")]
    kept += of_kind(objects, "PersistentVolumeClaim")
    assert kept
    for one in kept:
        assert one["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm", title(one)
    for one in of_kind(objects, "StatefulSet"):
        if one["metadata"]["name"] in STATEFUL:
            assert one["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_jobs_are_hooks_that_end_by_themselves(objects):
    found = of_kind(objects, "Job")
    assert found
    for job in found:
        annotations = job["metadata"]["annotations"]
        assert annotations["argocd.argoproj.io/hook"] == "Sync", title(job)
        assert annotations["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation", title(job)
        assert "ttlSecondsAfterFinished" not in job["spec"], title(job)
        assert job["spec"]["activeDeadlineSeconds"] <= 900, title(job)
        assert job["spec"]["backoffLimit"] <= 5, title(job)


def test_labels_are_the_recommended_ones_and_selectors_never_change(objects):
    for one in objects:
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "continuous-training", title(one)
        assert {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version"} <= labels.keys(), title(
            one
        )
    for one in of_kind(objects, *SERVERS):
        keys = set(one["spec"]["selector"]["matchLabels"])
        assert keys == {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}, title(one)


# Who may speak to whom. Whatever is not here is denied.
FLOWS = {
    ("airflow/api-server", "databases/server", 5432),
    ("airflow/scheduler", "databases/server", 5432),
    ("airflow/dag-processor", "databases/server", 5432),
    ("airflow/triggerer", "databases/server", 5432),
    ("airflow/migration", "databases/server", 5432),
    ("airflow/api-server", "airflow/api-server", 8080),
    ("airflow/scheduler", "airflow/api-server", 8080),
    ("airflow/dag-processor", "airflow/api-server", 8080),
    ("airflow/triggerer", "airflow/api-server", 8080),
    ("airflow/migration", "airflow/api-server", 8080),
    ("airflow/api-server", "airflow/scheduler", 8793),
    ("airflow/api-server", "airflow/triggerer", 8794),
    ("databases/setup", "databases/server", 5432),
    ("databases/exporter", "databases/server", 5432),
    ("databases/backup", "databases/server", 5432),
    ("mlflow/server", "databases/server", 5432),
    ("mlflow/server", "object-store/server", 9000),
    ("object-store/bucket", "object-store/server", 9000),
    ("serving/api", "databases/server", 5432),
    ("serving/api", "mlflow/server", 5000),
    ("dashboard/pages", "databases/server", 5432),
    ("dashboard/pages", "serving/api", 8000),
    ("task", "databases/server", 5432),
    ("task", "mlflow/server", 5000),
    ("task", "data-source/api", 8000),
}


def test_exactly_these_flows_are_allowed(rendered):
    objects = [one for render in rendered("local").values() for one in render.objects]
    policies = of_kind(objects, "NetworkPolicy")
    known = {"task": Pod(TASKS, (("component", "train"),))}
    ports = {5000, 5432, 8000, 8080, 8501, 8793, 8794, 9000, 9102, 9187}
    for _, _, template in pods(objects):
        labels = template["metadata"]["labels"]
        name = f"{labels['app.kubernetes.io/name']}/{labels['app.kubernetes.io/component']}"
        known[name] = Pod(PLATFORM, tuple(labels.items()))
    found = {
        (source, target, port)
        for source, one in known.items()
        for target, other in known.items()
        for port in ports
        if allows(policies, one, other, port)
    }
    assert found == FLOWS
    statsd = known["airflow/statsd"]
    assert allows(policies, known["airflow/scheduler"], statsd, 9125, "UDP")
    assert not allows(policies, known["serving/api"], statsd, 9125, "UDP")


def test_prometheus_reaches_metrics_and_nothing_else(rendered):
    objects = [one for render in rendered("local").values() for one in render.objects]
    policies = of_kind(objects, "NetworkPolicy")
    prometheus = Pod("monitoring", (("app", "prometheus"),))
    stranger = Pod("elsewhere", (("app", "any"),))
    for name, port in (("serving", 8000), ("mlflow", 5000), ("data-source", 8000), ("object-store", 9000)):
        [labels] = [
            t["metadata"]["labels"] for _, one, t in pods(objects) if one["metadata"]["name"] == name and one["kind"] in SERVERS
        ]
        target = Pod(PLATFORM, tuple(labels.items()))
        assert allows(policies, prometheus, target, port)
        assert not allows(policies, prometheus, target, 5432)
        assert not allows(policies, stranger, target, port)
