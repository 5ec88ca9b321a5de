"""Dashboards are what the generator makes, keep to the conventions, and read metrics that somebody makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ct_store.exporter import QUERIES

from tools import run_tool

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm/observability"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((CHART / "files/dashboards").glob("*.json"))}
RULES = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "files/rules").glob("*.yaml"))]
INTERVAL = yaml.safe_load((CHART / "values.yaml").read_text())["interval"]
RECORDED = {rule["record"] for file in RULES for group in file["groups"] for rule in group["rules"] if "record" in rule}
EXPRESSIONS = sorted({target["expr"] for one in DASHBOARDS.values() for panel in one["panels"] for target in panel["targets"]})
ALERTED = sorted({rule["expr"] for file in RULES for group in file["groups"] for rule in group["rules"]})

# Metrics of programs that are not ours, by what they are made of: the StatsD exporter's names of Airflow's metrics, the
# exporter in MLflow's server, Prometheus itself, the Python client.
OTHERS = {
    "airflow_scheduler_heartbeat", "airflow_dag_processor_heartbeat", "airflow_triggerer_heartbeat", "airflow_ti_finish",
    "airflow_ti_failures", "airflow_dag_processing_import_errors", "airflow_dagrun_duration_success_count",
    "airflow_dagrun_duration_failed_count", "mlflow_http_request_total", "mlflow_http_request_duration_seconds_bucket", "up",
    "process_resident_memory_bytes", "process_cpu_seconds_total",
}  # fmt: skip


def ours() -> set[str]:
    """Every metric that our programs serve, from their sources, with the suffixes that the client adds."""
    text = "".join(
        (ROOT / path).read_text()
        for path in ("serving/ct_serving/metrics.py", "task_images/data_source/ct_data_source/metrics.py")
    )
    found = set()
    for kind, name in re.findall(r'(Counter|Gauge|Histogram)\(\s*"(\w+)"', text):
        suffix = {"Counter": "" if name.endswith("_total") else "_total", "Gauge": "", "Histogram": "_bucket"}[kind]
        found.add(name + suffix)
    return found | {query.name + ("_total" if query.counter else "") for query in QUERIES} | {"ct_database_up"}


def metrics(expression: str) -> set[str]:
    """The names of the series in an expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare)
    words = re.findall(r"\b[a-z][a-z0-9_:]*\b(?!\s*\()", bare)
    return set(words) - {"by", "on", "or", "and", "unless", "bool", "offset"}


def test_they_are_what_the_generator_makes():
    done = subprocess.run([sys.executable, CHART / "dashboards.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", DASHBOARDS)
def test_they_keep_to_the_conventions(name):
    one = DASHBOARDS[name]
    assert one["uid"] == name
    assert one["editable"] is False
    assert one["timezone"] == "browser"
    assert one["tags"] == ["continuous-training"]
    assert [variable["type"] for variable in one["templating"]["list"]] == ["datasource"]
    assert [annotation["name"] for annotation in one["annotations"]["list"]] == ["Promotions"]
    places = [tuple(panel["gridPos"].values()) for panel in one["panels"]]
    assert len(set(places)) == len(places)
    for panel in one["panels"]:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            # Grafana makes $__rate_interval of it: without it, of the 15 s that it takes a data source to read in.
            assert target.get("interval") == (None if target["instant"] else INTERVAL)
    # A ConfigMap holds a mebibyte.
    assert len(json.dumps(one)) < 500_000


@pytest.mark.parametrize("expression", EXPRESSIONS + ALERTED)
def test_every_series_is_one_that_somebody_makes(expression):
    assert metrics(expression) <= ours() | RECORDED | OTHERS


def test_a_renamed_metric_would_be_seen():
    assert metrics('sum by (a) (rate(http_requests_total{job="x"}[5m])) / on (b) serving:requests:rate5m') == {
        "http_requests_total",
        "serving:requests:rate5m",
    }
    assert not metrics("rate(ct_renamed_total[5m])") <= ours() | RECORDED | OTHERS


def test_a_stat_of_one_series_says_what_its_value_does_not():
    """Grafana leaves the name of a single series out: a version would be shown as 1, and a target that is down as a green 0."""
    panels = {panel["title"]: panel for one in DASHBOARDS.values() for panel in one["panels"]}
    assert panels["Version that answers"]["options"]["textMode"] == "name"
    assert panels["Last promotion"]["options"]["textMode"] == "value_and_name"
    targets = panels["Targets"]["fieldConfig"]["defaults"]
    assert targets["thresholds"]["steps"] == [{"color": "red", "value": None}, {"color": "green", "value": 1}]
    assert targets["mappings"][0]["options"]["0"]["text"] == "down"


def test_every_expression_parses(tmp_path):
    rules = [
        {"record": f"check:{number}", "expr": text.replace("$__rate_interval", "5m")} for number, text in enumerate(EXPRESSIONS)
    ]
    annotations = {one["annotations"]["list"][0]["expr"] for one in DASHBOARDS.values()}
    rules += [{"record": f"annotation:{number}", "expr": text} for number, text in enumerate(annotations)]
    file = tmp_path / "expressions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = run_tool("promtool", "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_ships_them_all(rendered):
    shipped = {
        name: json.loads(text)
        for one in rendered("production")["observability"].objects
        if one["kind"] == "ConfigMap" and one["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in one["data"].items()
    }
    assert shipped == {f"{name}.json": one for name, one in DASHBOARDS.items()}


def test_every_monitor_finds_a_service_with_its_port(rendered):
    objects = [one for render in rendered("kind").values() for one in render.objects]
    services = [one for one in objects if one["kind"] == "Service"]
    monitors = [one for one in objects if one["kind"] == "ServiceMonitor"]
    assert len(monitors) >= 5
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [one for one in services if wanted <= one["metadata"]["labels"].items()]
        [endpoint] = monitor["spec"]["endpoints"]
        with_port = [one for one in found if endpoint["port"] in {port["name"] for port in one["spec"]["ports"]}]
        assert [one["metadata"]["name"] for one in with_port] == [monitor["metadata"]["name"]]
