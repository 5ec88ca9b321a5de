"""Rendered charts: every pod and container in them, and the flows that network policies allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

ENVIRONMENTS = ("production", "kind", "local")
Object = dict[str, Any]


@dataclass(frozen=True)
class Render:
    """What helm printed, and the objects in it."""

    text: str
    objects: list[Object]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [one for one in objects if one["kind"] in kinds]


def title(one: Object) -> str:
    """Kind and name, for messages."""
    return f"{one['kind']}/{one['metadata']['name']}"


def pod_template(one: Object) -> Object | None:
    """The pod template of a workload; None for what has no pods."""
    match one["kind"]:
        case "Deployment" | "StatefulSet" | "Job":
            return one["spec"]["template"]
        case "CronJob":
            return one["spec"]["jobTemplate"]["spec"]["template"]
    return None


def pods(objects: Iterable[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Title, object and pod template of every workload."""
    for one in objects:
        if (template := pod_template(one)) is not None:
            yield title(one), one, template


def containers(template: Object, *, initial: bool = True) -> list[Object]:
    """The containers of a pod template."""
    spec = template["spec"]
    return [*(spec.get("initContainers", []) if initial else []), *spec["containers"]]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels."""
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it."""

    namespace: str
    labels: tuple[tuple[str, str], ...]

    @property
    def label_map(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.labels)


def allows(policies: Iterable[Object], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether policies let ``source`` speak to ``target``: one lets it out, one lets it in, where any selects the pod."""
    found = list(policies)
    return _side(found, "egress", source, target, (port, protocol)) and _side(
        found, "ingress", target, source, (port, protocol)
    )


def _side(policies: list[Object], rules: str, own: Pod, other: Pod, port: tuple[int, str]) -> bool:
    mine = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and rules.capitalize() in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], own.label_map)
    ]
    if not mine:
        return True
    ends = {"egress": "to", "ingress": "from"}[rules]
    return any(
        any(_matches(end, own, other) for end in rule.get(ends, []))
        and port in [(one["port"], one["protocol"]) for one in rule["ports"]]
        for spec in mine
        for rule in spec.get(rules, [])
    )


def _matches(end: Object, own: Pod, other: Pod) -> bool:
    if "ipBlock" in end:
        return False
    if "namespaceSelector" in end:
        if not selects(end["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif own.namespace != other.namespace:
        return False
    return selects(end.get("podSelector", {}), other.label_map)
