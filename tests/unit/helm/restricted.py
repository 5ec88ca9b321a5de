"""What the Pod Security Standard `restricted` forbids, by its own words and not by those of our charts.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (Kubernetes 1.31 and newer).
"""

from __future__ import annotations

from collections.abc import Iterator

from rendered import Object

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
PROFILES = {"RuntimeDefault", "Localhost"}
HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe")


def violations(spec: Object) -> list[str]:
    """Every rule of `restricted` that a pod's spec breaks, in words; empty for one that the API server takes."""
    pod = spec.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += ["sysctls"] if pod.get("sysctls") else []
    for volume in spec.get("volumes", []):
        found += [f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} if kind not in VOLUMES]
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(key, []):
            found += [f"{container['name']}: {what}" for what in _container(container, pod)]
    return found


def _container(container: Object, pod: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    effective = {**pod, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate"
    if effective.get("runAsNonRoot") is not True:
        yield "may be root"
    if effective.get("runAsUser") == 0:
        yield "is root"
    if effective.get("seccompProfile", {}).get("type") not in PROFILES:
        yield "no seccomp profile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "a port of the node"
    if any("host" in container.get(probe, {}).get(ask, {}) for probe in HANDLERS for ask in ("httpGet", "tcpSocket")):
        yield "a probe of another host"
