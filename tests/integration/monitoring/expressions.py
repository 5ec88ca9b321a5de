"""Every expression of the chart observability, and the list of those that have no data in a system without trouble."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from promql import PrometheusClient

HERE = Path(__file__).resolve().parent
CHART = HERE.parents[2] / "helm" / "observability"
RATE_INTERVAL = "2m"
"""What Grafana makes of ``$__rate_interval`` at the least: four times the step that panels ask for."""


@dataclass(frozen=True)
class Expression:
    """One expression: ``where`` it stands, and whether it is an alert's, which has data only in trouble."""

    where: str
    text: str
    alert: bool = False


def expressions() -> list[Expression]:
    """All of them: panels and annotations of dashboards, recorded series, alerts."""
    found = []
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
        asked += [(one["name"], one["expr"]) for one in board["annotations"]["list"]]
        found += [Expression(f"{path.stem}: {title}", text.replace("$__rate_interval", RATE_INTERVAL)) for title, text in asked]
    for path in sorted((CHART / "files/rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                found.append(Expression(rule.get("alert") or rule["record"], rule["expr"], "alert" in rule))
    return found


def listed(place: str) -> dict[str, str]:
    """Expressions that are known to have no data in ``place`` (``machine`` or ``cluster``), with the reason."""
    lines: Iterable[dict[str, Any]] = yaml.safe_load((HERE / "without_data.yaml").read_text(encoding="utf-8"))
    return {line["expression"]: line["reason"] for line in lines if place in line["places"]}


def rule_names() -> set[str]:
    """Names of the alerts and of the recorded series."""
    return {one.where for one in expressions() if ": " not in one.where}


def without_data(prometheus: PrometheusClient) -> set[str]:
    """What has no data now: expressions of graphs and recorded series, and the parts that alerts compare."""
    texts: set[str] = set()
    for one in expressions():
        texts |= set(prometheus.operands(one.text)) if one.alert else {one.text}
    return {text for text in texts if not prometheus.now(text)}
