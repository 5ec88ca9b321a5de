"""What the demonstration tells at its end: the history, a price from the API, where everything is."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any

import httpx
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from local import by_hand
from local.runs import DAG, Pipeline
from local.settings import Settings

EXAMPLE = {
    "status": "for_sale",
    "bed": 3,
    "bath": 2,
    "acre_lot": 0.25,
    "city": "East Windsor",
    "state": "Connecticut",
    "zip_code": "06016",
    "house_size": 1617,
    "prev_sold_date": "1999-09-30",
    "brokered_by": 101640,
}
"""A home whose price is asked for."""


class ReportError(RuntimeError):
    """The end does not fit what the runs recorded."""


def history(pipeline: Pipeline) -> RenderableType:
    """One line a run: the batch, whether it was trained on and why, whether the model was promoted and why."""
    table = Table(title="History", show_lines=True)
    for column in ("batch", "rows", "new", "training", "promotion"):
        table.add_column(column, justify="right" if column in {"batch", "rows", "new"} else "left", overflow="fold")
    for line in pipeline.history():
        table.add_row(
            "–" if line["batch_number"] is None else str(line["batch_number"]),
            "–" if line["row_count"] is None else f"{line['row_count']:,}",
            "–" if line["rows_new"] is None else f"{line['rows_new']:,}",
            _decision(pipeline, line, "assess", line["retrain_outcome"], line["retrain_code"])
            if line["retrain_code"]
            else _decision(pipeline, line, "collect", "skip", line["intake_code"]),
            _decision(pipeline, line, _judge(line), line["promotion_outcome"], line["promotion_code"]),
        )
    return table


def _judge(line: Mapping[str, Any]) -> str:
    """The task whose result tells the verdict: the one that carried out a person's answer, else evaluate."""
    return str(line["promotion_outcome"]) if line["approval_code"] else "evaluate"


def _decision(pipeline: Pipeline, line: Mapping[str, Any], task: str, outcome: str | None, code: str | None) -> Text:
    if not code:
        return Text("–")
    text = Text(f"{outcome} {code}", style={"train": "green", "promote": "green"}.get(str(outcome), "yellow"))
    if reason := pipeline.airflow.result(DAG, str(line["run_id"]), task).get("reason"):
        text.append(f"\n{reason}", style="default")
    return text


def promoted_version(pipeline: Pipeline) -> str | None:
    """The version of the last promotion in the ledger."""
    promoted = [line for line in pipeline.history() if line["promoted_at"] is not None]
    promoted.sort(key=lambda line: line["promoted_at"])
    return str(promoted[-1]["challenger_version"]) if promoted else None


def price(settings: Settings, pipeline: Pipeline, seconds: float = 60) -> RenderableType:
    """Ask the API for a price and show question and answer.

    Raises ReportError if the version that answers is not the promoted one after ``seconds``.
    """
    wanted = promoted_version(pipeline)
    if wanted is None:
        raise ReportError("no model was promoted, so there is no price to ask for; the history says why")
    address = f"{settings.url('serving')}/predict"
    deadline = time.monotonic() + seconds
    while True:
        answer = httpx.post(address, json=EXAMPLE, timeout=30, trust_env=False)
        served = _version(answer) if answer.is_success else None
        if served == wanted:
            break
        if time.monotonic() > deadline:
            raise ReportError(
                f"version {wanted} was promoted, but the API answers {answer.status_code} with version {served} "
                f"after {seconds:g} s: {answer.text[:500]}"
            )
        time.sleep(1)
    body = json.dumps(EXAMPLE)
    question = f"curl -s {address} -H 'content-type: application/json' -d {shlex.quote(body)}"
    return Text("\n".join(["", question, json.dumps(answer.json(), indent=2, ensure_ascii=False)]))


def _version(answer: httpx.Response) -> str | None:
    value = answer.json()
    found = value.get("model_version") or (value.get("model") or {}).get("version")
    return None if found is None else str(found)


def addresses(settings: Settings, parts: frozenset[str]) -> RenderableType:
    """Where everything in ``parts`` is and how to get in."""
    table = Table(title="Addresses", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    rows = {
        "dashboard": ("Dashboard", settings.url("dashboard"), ""),
        "serving": ("API", f"{settings.url('serving')}/docs", ""),
        "airflow": ("Airflow", settings.url("airflow"), f"admin / {settings.secrets['airflow_admin']}"),
        "mlflow": ("MLflow", settings.url("mlflow"), ""),
        "source": ("Data source", f"{settings.source}/docs", ""),
        "schema": ("PostgreSQL", settings.database_url("continuous_training", "dashboard", "dashboard"), "reads only"),
    }
    for part, row in rows.items():
        if part in parts:
            table.add_row(*row)
    table.add_row("Logs", str(settings.state / "logs"), "")
    if "airflow" in parts:
        table.add_row("By hand", f". {settings.state / by_hand.FILE} && continuous-training task show RUN TASK", "")
    return table
