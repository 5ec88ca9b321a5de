"""Every alert fires when it should and is silent when it should be, by promtool; every alert has a runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tools import run_tool

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
RULES = sorted((ROOT / "helm/observability/files/rules").glob("*.yaml"))
GROUPS = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}

PREDICT = 'job="serving", handler="/predict", method="POST"'
CALM = {
    'up{job="serving", pod="serving-1"}': "1x3000",
    'up{job="mlflow"}': "1x3000",
    'up{job="object-store"}': "1x3000",
    f'http_requests_total{{{PREDICT}, status="200"}}': "0+600x3000",
    f'http_requests_total{{{PREDICT}, status="500"}}': "0+1x3000",
    f'http_request_duration_seconds_bucket{{{PREDICT}, le="0.1"}}': "0+600x3000",
    f'http_request_duration_seconds_bucket{{{PREDICT}, le="1"}}': "0+600x3000",
    f'http_request_duration_seconds_bucket{{{PREDICT}, le="+Inf"}}': "0+600x3000",
    'ct_model_info{job="serving", pod="serving-1", model="m", version="3", alias="production"}': "1x3000",
    'ct_promoted_timestamp_seconds{model="m", version="3"}': "0x3000",
    'ct_model_events_total{model="m", event="promoted"}': "2x3000",
    'ct_model_reload_total{job="serving", result="failed"}': "1x3000",
    'ct_inference_log_dropped_total{job="serving", reason="queue_full"}': "7x3000",
    'ct_inference_log_spooled_rows{job="serving"}': "0x3000",
    'ct_last_batch_timestamp_seconds{stream="group 1"}': "0+60x3000",
    'ct_validations_total{accepted="false"}': "1x3000",
    "ct_requests_unanswered": "0x3000",
    'ct_promotions_total{outcome="reject"}': "9x3000",
    'ct_promotions_total{outcome="promote"}': "2x3000",
    "ct_promotions_waiting": "0x3000",
    "ct_database_up": "1x3000",
    'pg_stat_database_numbackends{datname="mlflow"}': "20x3000",
    "pg_settings_max_connections": "200x3000",
    'mlflow_http_request_total{status="200"}': "0+60x3000",
    'mlflow_http_request_total{status="500"}': "0x3000",
    "airflow_scheduler_heartbeat": "0+12x3000",
    "airflow_dag_processing_import_errors": "0x3000",
    'airflow_ti_failures{dag_id="d"}': "4x3000",
}
"""Two days of quiet, minute by minute. None as a value takes a series away."""

BAD_HALF = {f'http_requests_total{{{PREDICT}, status="500"}}': "0+600x3000"}
TROUBLE: dict[str, dict[str, str | None]] = {
    "ServingErrorBudgetBurnsFast": BAD_HALF,
    "ServingErrorBudgetBurnsSteadily": BAD_HALF,
    "ServingErrorBudgetBurnsSlowly": {f'http_requests_total{{{PREDICT}, status="500"}}': "0+6x3000"},
    "ServingSlow": {f'http_request_duration_seconds_bucket{{{PREDICT}, le="0.1"}}': "0+60x3000"},
    "ServingDown": {'up{job="serving", pod="serving-1"}': "0x3000"},
    "ServingWithoutModel": {'ct_model_info{job="serving", pod="serving-1", model="m", version="3", alias="production"}': None},
    "ServingModelNotProduction": {'ct_promoted_timestamp_seconds{model="m", version="3"}': None,
                                  'ct_promoted_timestamp_seconds{model="m", version="4"}': "0x3000"},
    "ServingCannotFollowTheAlias": {'ct_model_reload_total{job="serving", result="failed"}': "0+6x3000"},
    "InferencesDropped": {'ct_inference_log_dropped_total{job="serving", reason="queue_full"}': "0+1x3000"},
    "InferencesWaitForTheDatabase": {'ct_inference_log_spooled_rows{job="serving"}': "50x3000"},
    "NoNewBatch": {'ct_last_batch_timestamp_seconds{stream="group 1"}': "0x3000"},
    "BatchRejected": {'ct_validations_total{accepted="false"}': "0+1x3000"},
    "SourceDidNotAnswer": {"ct_requests_unanswered": "1x3000"},
    "ChallengersKeepLosing": {'ct_promotions_total{outcome="reject"}': "0+1x3000"},
    "PromotionWaitsForApproval": {"ct_promotions_waiting": "1x3000"},
    "DatabaseDown": {"ct_database_up": None},
    "DatabaseConnectionsRunOut": {'pg_stat_database_numbackends{datname="mlflow"}': "180x3000"},
    "MlflowDown": {'up{job="mlflow"}': None},
    "MlflowErrors": {'mlflow_http_request_total{status="500"}': "0+6x3000"},
    "ObjectStoreDown": {'up{job="object-store"}': "1x60 0x2940"},
    "AirflowSchedulerDown": {"airflow_scheduler_heartbeat": "0x3000"},
    "AirflowDagsDoNotParse": {"airflow_dag_processing_import_errors": "2x3000"},
    "AirflowTasksFail": {'airflow_ti_failures{dag_id="d"}': "0+1x3000"},
}  # fmt: skip


HOURS = {"NoNewBatch": 26, "PromotionWaitsForApproval": 6}
"""How long a trouble must last, where two hours are too few."""


def case(name: str, series: dict[str, str | None], expected: dict[str, int] | None, hours: int) -> dict[str, object]:
    """A promtool test after so many hours: which alerts fire and how often; None for none at all."""
    found = "count by (alertname) (ALERTS{alertstate='firing'%s})"
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": count} for alert, count in (expected or {}).items()]
    only = "".join(f", alertname='{alert}'" for alert in expected or ())
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": value} for key, value in series.items() if value is not None],
        "promql_expr_test": [{"expr": found % only, "eval_time": f"{hours}h", "exp_samples": samples}],
    }


def test_every_rule_is_one_that_prometheus_takes():
    done = run_tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_every_alert_fires_in_its_trouble_and_none_in_quiet(rules, tmp_path):
    groups = yaml.safe_load(rules.read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    read = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    calm = {series: values for series, values in CALM.items() if series.partition("{")[0] in read}
    tests = [case("quiet", dict(calm), None, 6)]
    tests += [case(alert, {**calm, **TROUBLE[alert]}, {alert: 1}, HOURS.get(alert, 2)) for alert in alerts]
    file = tmp_path / "alerts.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
    done = run_tool("promtool", "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_trouble():
    assert TROUBLE.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_how_bad_it_is_what_it_means_and_what_to_do(name):
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert {"summary", "description", "runbook_url"} <= rule["annotations"].keys()
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE)
    assert name in headings


def test_no_label_can_grow_without_bound():
    forbidden = re.compile(r"\b(zip_code|city|street|run_id|request_id|path|client)\b")
    for group in GROUPS:
        for rule in group["rules"]:
            assert not forbidden.search(rule["expr"]), rule


def test_links_lead_to_the_repository_that_is_deployed(rendered):
    objects = rendered("kind")["observability"].objects
    found = {
        rule["annotations"]["runbook_url"]
        for one in objects
        if one["kind"] == "PrometheusRule"
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    base = "https://git.example.org/you/continuous-training/blob/main/docs/runbooks.md"
    assert found == {f"{base}#{name.lower()}" for name in ALERTS}
