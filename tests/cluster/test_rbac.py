"""What the service accounts may do, asked of the API server itself."""

from __future__ import annotations

import pytest
from kube.kubectl import kubectl
from kube.platform import PLATFORM, TASKS

pytestmark = pytest.mark.cluster

LAUNCHERS = ("airflow-scheduler", "airflow-triggerer")
ALLOWED = [
    *(f"{verb} pods" for verb in ("create", "get", "list", "watch", "patch", "delete")),
    "get pods/log",
    "create pods/exec",
    "list events",
    "watch events",
]
FORBIDDEN = [
    "get secrets", "list secrets", "create secrets", "get configmaps", "update pods", "deletecollection pods",
    "create pods/ephemeralcontainers", "create pods/portforward", "create deployments.apps", "create jobs.batch",
    "create roles.rbac.authorization.k8s.io", "create rolebindings.rbac.authorization.k8s.io", "create serviceaccounts",
    "create serviceaccounts/token", "delete events", "patch resourcequotas", "* *",
]  # fmt: skip


def may(account: str, namespace: str, right: str, *, home: str = PLATFORM) -> bool:
    """Whether a service account has a right in a namespace."""
    verb, resource = right.split()
    resource, _, subresource = resource.partition("/")
    # "pods/log" on kubectl's command line would be the pod called log.
    options = [f"--subresource={subresource}"] if subresource else []
    user = f"--as=system:serviceaccount:{home}:{account}"
    answer = kubectl("auth", "can-i", verb, resource, f"--namespace={namespace}", user, *options, check=False)
    assert answer.strip() in ("yes", "no"), answer
    return answer.strip() == "yes"


@pytest.mark.parametrize("account", LAUNCHERS)
def test_airflow_may_do_with_task_pods_what_it_needs_and_nothing_else(platform, account):
    assert [right for right in ALLOWED if not may(account, TASKS, right)] == []
    assert [right for right in FORBIDDEN if may(account, TASKS, right)] == []


@pytest.mark.parametrize("account", LAUNCHERS)
@pytest.mark.parametrize("namespace", [PLATFORM, "default", "kube-system"])
def test_airflow_may_do_nothing_elsewhere(platform, account, namespace):
    assert [right for right in (*ALLOWED, *FORBIDDEN) if may(account, namespace, right)] == []


def test_tasks_and_the_other_services_may_do_nothing_at_all(platform):
    for account, home in (("task", TASKS), ("default", TASKS), ("default", PLATFORM)):
        for namespace in (TASKS, PLATFORM):
            assert [right for right in (*ALLOWED, *FORBIDDEN) if may(account, namespace, right, home=home)] == []
