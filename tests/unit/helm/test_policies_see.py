"""Each policy test against a chart with the defect that it is there for: one that passes sees nothing."""

from __future__ import annotations

import copy as copies
from collections.abc import Callable
from typing import Any

import pytest
import test_policies as policies
from rendered import Object, containers, of_kind, pods

pytestmark = pytest.mark.unit

Defect = Callable[[list[Object]], Any]


def named(objects: list[Object], name: str, *kinds: str) -> Object:
    """The object of this name, and of one of the kinds."""
    return next(one for one in of_kind(objects, *kinds) if one["metadata"]["name"] == name)


def serving(objects: list[Object]) -> Object:
    """Serving's pod template."""
    return next(template for title, _, template in pods(objects) if title == "Deployment/serving")


def main(objects: list[Object]) -> Object:
    """Serving's container."""
    return containers(serving(objects))[0]


def other_image(reference: str) -> Defect:
    return lambda objects: main(objects).update(image=reference)


def without(*keys: str) -> Defect:
    return lambda objects: [main(objects).pop(key) for key in keys]


def annotated(kind: str, name: str, key: str, value: str) -> Defect:
    return lambda objects: named(objects, name, kind)["metadata"]["annotations"].update({key: value})


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "x"}, "stringData": {"password": "x"}}
OPTIONS = "argocd.argoproj.io/sync-options"

DEFECTS: dict[str, tuple[Callable[..., None], Defect]] = {
    "a secret with content": (
        policies.test_no_secret_is_rendered_and_nothing_looks_like_a_password,
        lambda objects: objects.append(SECRET),
    ),
    "a password as a value": (
        policies.test_no_secret_is_rendered_and_nothing_looks_like_a_password,
        lambda objects: main(objects)["env"].append({"name": "PGPASSWORD", "value": "x"}),
    ),
    "an image without a tag": (
        policies.test_every_image_is_named_by_a_version_and_ours_by_digest,
        other_image("docker.io/a/b"),
    ),
    "an image called latest": (
        policies.test_every_image_is_named_by_a_version_and_ours_by_digest,
        other_image("docker.io/a/b:latest"),
    ),
    "no liveness": (policies.test_every_server_says_when_it_lives_and_when_it_is_ready, without("livenessProbe")),
    "no readiness": (policies.test_every_server_says_when_it_lives_and_when_it_is_ready, without("readinessProbe")),
    "liveness asks for a model": (
        policies.test_liveness_asks_nobody_else,
        lambda objects: main(objects)["livenessProbe"]["httpGet"].update(path="/health/ready"),
    ),
    "no requests": (
        policies.test_every_container_asks_for_memory_and_cpu_and_gets_no_more_memory_than_it_asked_for,
        lambda objects: main(objects)["resources"]["requests"].pop("cpu"),
    ),
    "more memory than asked for": (
        policies.test_every_container_asks_for_memory_and_cpu_and_gets_no_more_memory_than_it_asked_for,
        lambda objects: main(objects)["resources"]["limits"].update(memory="9Gi"),
    ),
    "may be root": (
        policies.test_pods_are_restricted,
        lambda objects: serving(objects)["spec"]["securityContext"].update(runAsNonRoot=False),
    ),
    "a writable root file system": (
        policies.test_pods_are_restricted,
        lambda objects: main(objects)["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    "a capability": (
        policies.test_pods_are_restricted,
        lambda objects: main(objects)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    "the node's network": (
        policies.test_pods_are_restricted,
        lambda objects: serving(objects)["spec"].update(hostNetwork=True),
    ),
    "a folder of the node": (
        policies.test_volumes_are_none_of_the_node_s_and_bounded,
        lambda objects: serving(objects)["spec"]["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    "a token for everybody": (
        policies.test_only_those_who_ask_the_cluster_have_a_token,
        lambda objects: serving(objects)["spec"].update(automountServiceAccountToken=True),
    ),
    "a port of the node": (
        policies.test_services_stay_inside,
        lambda objects: named(objects, "serving", "Service")["spec"].update(type="NodePort"),
    ),
    "a service that selects nobody": (
        policies.test_every_service_selects_the_pods_of_one_workload_and_ports_that_they_have,
        lambda objects: named(objects, "serving", "Service")["spec"]["selector"].update({"app.kubernetes.io/name": "typo"}),
    ),
    "a star in a role": (
        policies.test_no_rule_has_a_star_and_no_role_reaches_the_whole_cluster,
        lambda objects: of_kind(objects, "Role")[0]["rules"][0].update(verbs=["*"]),
    ),
    "a role of the cluster": (
        policies.test_no_rule_has_a_star_and_no_role_reaches_the_whole_cluster,
        lambda objects: objects.append({"kind": "ClusterRole", "metadata": {"name": "x"}, "rules": []}),
    ),
    "a namespace that takes any pod": (
        policies.test_namespaces_take_restricted_pods_only_and_are_never_pruned,
        lambda objects: of_kind(objects, "Namespace")[0]["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce": "privileged"}
        ),
    ),
    "a namespace that is pruned": (
        policies.test_namespaces_take_restricted_pods_only_and_are_never_pruned,
        annotated("Namespace", "continuous-training", OPTIONS, "Prune=true"),
    ),
    "no quota": (
        policies.test_the_tasks_namespace_has_a_quota_and_limits,
        lambda objects: objects.remove(of_kind(objects, "ResourceQuota")[0]),
    ),
    "replicas beside an autoscaler": (
        policies.test_replicas_are_spread_and_a_drain_leaves_one,
        lambda objects: named(objects, "serving", "Deployment")["spec"].update(replicas=2),
    ),
    "no disruption budget": (
        policies.test_replicas_are_spread_and_a_drain_leaves_one,
        lambda objects: objects.remove(named(objects, "serving", "PodDisruptionBudget")),
    ),
    "a budget that blocks a drain": (
        policies.test_replicas_are_spread_and_a_drain_leaves_one,
        lambda objects: objects.append(
            {
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "x"},
                "spec": {"selector": {"matchLabels": {"app.kubernetes.io/component": "statsd"}}},
            }
        ),
    ),
    "no autoscaler": (
        policies.test_serving_scales_and_rolls_without_a_gap,
        lambda objects: objects.remove(of_kind(objects, "HorizontalPodAutoscaler")[0]),
    ),
    "a rollout with a gap": (
        policies.test_serving_scales_and_rolls_without_a_gap,
        lambda objects: named(objects, "serving", "Deployment")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    "a database that is pruned": (
        policies.test_what_cannot_be_made_again_goes_only_when_somebody_confirms,
        lambda objects: next(
            one for one in of_kind(objects, "StatefulSet", "Cluster") if one["metadata"]["name"] == "databases"
        )["metadata"]["annotations"].update({OPTIONS: "Prune=true"}),
    ),
    "a job that Argo CD runs again and again": (
        policies.test_jobs_are_hooks_that_end_by_themselves,
        lambda objects: named(objects, "airflow-migration", "Job")["spec"].update(ttlSecondsAfterFinished=60),
    ),
    "a job after the synchronisation": (
        policies.test_jobs_are_hooks_that_end_by_themselves,
        annotated("Job", "airflow-migration", "argocd.argoproj.io/hook", "PostSync"),
    ),
    "a selector with a version": (
        policies.test_labels_are_the_recommended_ones_and_selectors_never_change,
        lambda objects: named(objects, "serving", "Deployment")["spec"]["selector"]["matchLabels"].update(version="1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(objects, environment, defect):
    check, break_it = DEFECTS[defect]
    given = {"objects": objects, "environment": environment}
    wanted = check.__code__.co_varnames[: check.__code__.co_argcount]
    check(**{name: given[name] for name in wanted})
    broken = copies.deepcopy(objects)
    break_it(broken)
    with pytest.raises((AssertionError, KeyError, ValueError, TypeError)):
        check(**{name: {**given, "objects": broken}[name] for name in wanted})


@pytest.mark.parametrize("what", ["no default", "a wide hole", "a missing flow"])
def test_a_hole_in_the_network_policies_is_seen(rendered, what):
    broken = copies.deepcopy(rendered("local"))
    policy = named(broken["serving"].objects, "serving-api", "NetworkPolicy")
    if what == "no default":
        broken["platform"].objects.remove(
            next(
                one
                for one in of_kind(broken["platform"].objects, "NetworkPolicy")
                if one["metadata"]["name"] == "default-deny" and one["metadata"]["namespace"] == "continuous-training"
            )
        )
        broken["serving"].objects.remove(policy)
    elif what == "a wide hole":
        policy["spec"]["ingress"].append({"from": [{"podSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]})
        policy["spec"]["egress"].append({"to": [{"podSelector": {}}], "ports": [{"port": 9000, "protocol": "TCP"}]})
        store = named(broken["object-store"].objects, "object-store-server", "NetworkPolicy")
        store["spec"]["ingress"].append({"from": [{"podSelector": {}}], "ports": [{"port": 9000, "protocol": "TCP"}]})
    else:
        policy["spec"]["egress"] = [rule for rule in policy["spec"]["egress"] if rule["ports"][0]["port"] != 5432]
    policies.test_exactly_these_flows_are_allowed(rendered)
    with pytest.raises(AssertionError):
        policies.test_exactly_these_flows_are_allowed(lambda _: broken)
