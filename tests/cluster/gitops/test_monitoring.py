"""The Prometheus operator takes our monitors and rules: every target is up, every expression has data or is listed.

Needs the operator with a Prometheus that reads every namespace (docs/kubernetes.md), beside what test_gitops.py needs, whose
environment and first promotion it takes over.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "integration/monitoring"))

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

JOBS = {"serving", "mlflow", "databases-exporter", "airflow-statsd", "object-store", "data-source"}
OPERATED = "monitoring"


@pytest.fixture(scope="module")
def prometheus(repository: Any) -> Iterator[Any]:
    """Prometheus, after a commit that enables the chart observability and tells the dashboard where Prometheus is."""
    from kube import gitops
    from kube.kubectl import forwarded, kubectl
    from promql import PrometheusClient

    if not kubectl("get", "service", "prometheus-operated", f"--namespace={OPERATED}", "--output=name", check=False):
        pytest.skip("the Prometheus operator is not in this cluster, or has no Prometheus")
    environment = repository.clone / "argocd-apps/environments/local"
    apps, dashboard = environment / "apps.yaml", environment / "dashboard.yaml"
    commit = repository.git("rev-parse", "HEAD")
    if "prometheusUrl" not in dashboard.read_text():  # an environment that was kept has it
        assert "observability: {enabled: false}" in apps.read_text()
        apps.write_text(apps.read_text().replace("observability: {enabled: false}", "observability: {enabled: true}"))
        dashboard.write_text(dashboard.read_text() + f"prometheusUrl: http://prometheus-operated.{OPERATED}:9090\n")
        commit = repository.push("with metrics, rules and dashboards")
    gitops.refresh(gitops.ROOT_APPLICATION)
    gitops.wait_for(600, "observability is healthy", lambda: gitops.is_well("observability"))
    gitops.settle("dashboard", commit)
    with forwarded(OPERATED, "prometheus-operated", 9090) as port:
        yield PrometheusClient(f"http://127.0.0.1:{port}")


def test_every_target_is_up(prometheus):
    from kube import gitops

    def up():
        found = prometheus.targets(namespace=gitops.PLATFORM)
        wrong = dict.fromkeys(JOBS - found.keys(), "no target")
        wrong |= {job: errors for job, errors in found.items() if any(errors)}
        return wrong if wrong else True

    gitops.wait_for(240, "every target is up", up)
    targets = prometheus.targets(namespace=gitops.PLATFORM)
    assert targets.keys() == JOBS
    assert len(targets["serving"]) == gitops.ready_replicas("serving")


def test_every_rule_of_the_chart_is_evaluated(prometheus):
    from expressions import rule_names
    from kube import gitops

    def evaluated():
        found = {rule["name"]: (rule["health"], rule.get("lastError", "")) for rule in prometheus.rules()}
        wrong = {name: found.get(name) for name in rule_names() if found.get(name, ("",))[0] != "ok"}
        return wrong if wrong else True

    gitops.wait_for(180, "every rule is evaluated", evaluated)


def test_every_expression_has_data_or_is_listed_with_the_reason(prometheus):
    from clients import load
    from expressions import listed, without_data
    from kube import gitops

    clients = load(gitops.address("serving", 8000), {"steady": "30s", "malformed": "10s"})
    assert sum(clients.values()) > 100
    known = set(listed("cluster"))

    def none_missing():
        missing = without_data(prometheus) - known
        return dict.fromkeys(missing, "no data") if missing else True

    gitops.wait_for(180, "every expression has data", none_missing)
    assert known == without_data(prometheus), "listed, and has data nevertheless"


def test_no_alert_fires(prometheus):
    from expressions import rule_names

    firing = {series["metric"]["alertname"] for series in prometheus.now('ALERTS{alertstate="firing"}')}
    assert firing & rule_names() == set()


def test_the_dashboard_reads_the_same_prometheus(prometheus):
    """In its own pod, by its own settings: the requests of the last hour are those that the pods of serving have counted."""
    from kube import gitops

    code = (
        "import json; from datetime import UTC, datetime;"
        "from ct_dashboard.settings import Settings; from ct_dashboard.prometheus import Prometheus;"
        "from ct_dashboard.prometheus_traffic import read_traffic;"
        "prometheus = Prometheus(Settings.from_environment().prometheus_url);"
        "found = read_traffic(prometheus, 1, datetime.now(UTC).replace(microsecond=0));"
        "print(json.dumps([found.source, found.requests, found.worst_p95]))"
    )
    source, requests, worst = json.loads(gitops.inside("deployment/dashboard", code))
    assert source == "prometheus"
    assert requests > 100
    assert 0 < worst < 30
