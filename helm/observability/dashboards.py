"""Write the Grafana dashboards: ``python helm/observability/dashboards.py [--check]``.

A dashboard is a table of panels in ``boards.yaml``; the JSON below ``files/dashboards`` is never edited.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

BOARDS = Path(__file__).resolve().parent / "boards.yaml"
FOLDER = Path(__file__).resolve().parent / "files" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
HEIGHT = 8
STEP = "30s"
"""How often Prometheus reads (``interval`` in values.yaml): a graph's least step. Grafana takes ``$__rate_interval`` as four
times that, where the data source does not know."""
UP = "up"
"""The unit of ours for 1 and 0: up and down."""
UP_OR_DOWN = [{"type": "value", "options": {"0": {"text": "down", "index": 0}, "1": {"text": "up", "index": 1}}}]


WITHOUT_TIME = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
"""A table of the newest values: its time is the page's."""


@dataclass(frozen=True)
class Panel:
    """One panel; ``queries`` are (expression, legend); ``thresholds`` are (from, colour) above ``base``.

    ``show`` is what a stat says of each series: ``auto`` (its name only where there are several), ``name``, ``value_and_name``.
    """

    title: str
    text: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    thresholds: tuple[tuple[float, str], ...] = ()
    base: str = "green"
    show: str = "auto"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard with its panels in reading order."""

    uid: str
    title: str
    text: str
    panels: tuple[Panel, ...] = field(default=())


def read() -> list[Dashboard]:
    """The dashboards of boards.yaml. Raises TypeError for a key that no panel has."""
    boards = yaml.safe_load(BOARDS.read_text(encoding="utf-8"))
    return [Dashboard(**{**board, "panels": tuple(Panel(**panel) for panel in board["panels"])}) for board in boards]


ANNOTATIONS = [
    {
        "name": "Promotions",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "purple",
        # A point in time is the moment at which the newest promotion changes.
        "expr": "changes(max by (model) (ct_promoted_timestamp_seconds)[10m:1m]) > 0",
        "titleFormat": "{{model}} promoted",
        "step": "60s",
    }
]


def variable() -> dict[str, Any]:
    """The choice of the data source: no dashboard names one."""
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus", "refresh": 1, "hide": 0}


def options(one: Panel) -> dict[str, Any]:
    """What a kind of panel is told beside its data: a stat shows the newest value, a graph's tooltip every series."""
    if one.kind == "stat":
        return {"textMode": one.show, "reduceOptions": {"calcs": ["lastNotNull"]}}
    return {"tooltip": {"mode": "multi", "sort": "desc"}} if one.kind == "timeseries" else {}


def panel(one: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    """Grafana's JSON of a panel."""
    steps: list[dict[str, Any]] = [{"color": one.base, "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in one.thresholds]
    instant = one.kind in {"stat", "table"}
    defaults: dict[str, Any] = {"unit": one.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if one.unit == UP:
        defaults |= {"unit": "none", "mappings": UP_OR_DOWN}
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.text,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options(one),
        **(
            {"transformations": [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]}
            if one.kind == "table"
            else {}
        ),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
                "instant": instant,
                "range": not instant,
                **({} if instant else {"interval": STEP}),
                **({"format": "table"} if one.kind == "table" else {}),
            }
            for index, (expression, legend) in enumerate(one.queries)
        ],
    }


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The panels from left to right, in lines of 24 columns."""
    found = []
    left = top = 0
    for number, one in enumerate(dashboard.panels, 1):
        if left + one.width > COLUMNS:
            left, top = 0, top + HEIGHT
        found.append(panel(one, number, {"x": left, "y": top, "w": one.width, "h": HEIGHT}))
        left += one.width
    return found


def document(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON of a dashboard, in the classic schema."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.text,
        "tags": ["continuous-training"],
        "schemaVersion": 42,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable()]},
        "annotations": {"list": ANNOTATIONS},
        "links": [
            {
                "type": "dashboards",
                "title": "Continuous training",
                "tags": ["continuous-training"],
                "asDropdown": True,
                "keepTime": True,
            }
        ],
        "panels": panels(dashboard),
    }


def main() -> int:
    """Write the files; with --check only say which differ."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not as it would be written")
    check = parser.parse_args().check
    different = False
    for dashboard in read():
        file = FOLDER / f"{dashboard.uid}.json"
        text = json.dumps(document(dashboard), indent=2) + "\n"
        if file.exists() and file.read_text() == text:
            continue
        different = True
        print(f"{'differs' if check else 'wrote'}: {file.name}")
        if not check:
            file.write_text(text)
    return int(check and different)


if __name__ == "__main__":
    sys.exit(main())
