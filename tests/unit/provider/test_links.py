"""Links lead where a browser can go, or nowhere."""

from types import SimpleNamespace

import pytest
from airflow.sdk.types import TaskInstanceKey
from continuous_training.links.dashboard import HistoryLink
from continuous_training.links.debug import DebugLink
from continuous_training.links.mlflow import MLflowModelVersionLink, MLflowRunLink
from continuous_training.operators.train import TrainOperator
from ct_contract import TaskResult

pytestmark = pytest.mark.unit


def link(of, **fields):
    operator = TrainOperator(task_id="train")
    operator.result = TaskResult(task="train", run_id="r", code="TRAINED", **fields) if fields else None
    return of.get_link(operator, ti_key=SimpleNamespace(run_id="manual__2026-01-01T00:00:00+00:00"))


def test_the_run_is_linked_at_the_public_address(configure):
    configure(mlflow_tracking_uri="http://mlflow:5000", mlflow_public_url="https://mlflow.example.org/")
    address = "http://mlflow:5000/#/experiments/1/runs/abc"
    assert link(MLflowRunLink(), links={"mlflow_run": address}) == "https://mlflow.example.org/#/experiments/1/runs/abc"


def test_a_run_without_an_address_is_linked_by_its_id(configure):
    configure(mlflow_tracking_uri="http://mlflow:5000", mlflow_public_url="https://mlflow.example.org")
    assert link(MLflowRunLink(), summary={"mlflow_run_id": "abc"}) == "https://mlflow.example.org/#/runs/abc"


def test_a_run_elsewhere_keeps_its_address(configure):
    configure(mlflow_tracking_uri="http://mlflow:5000", mlflow_public_url="https://mlflow.example.org")
    assert link(MLflowRunLink(), links={"mlflow_run": "http://other/x"}) == "http://other/x"


@pytest.mark.parametrize(
    ("summary", "end"),
    [
        ({"model_version": "7"}, "/#/models/house-prices/versions/7"),
        ({"challenger_version": 8, "champion_version": 7}, "/#/models/house-prices/versions/8"),
        ({"champion_version": "6", "model_name": "flats and houses"}, "/#/models/flats%20and%20houses/versions/6"),
    ],
)
def test_the_version_is_linked(configure, summary, end):
    configure(mlflow_tracking_uri="http://mlflow:5000")
    assert link(MLflowModelVersionLink(), summary=summary) == f"http://mlflow:5000{end}"


def test_the_history_is_linked_at_the_run(configure):
    configure(dashboard_url="https://dashboard.example.org/")
    assert link(HistoryLink()) == "https://dashboard.example.org/history?run=manual__2026-01-01T00%3A00%3A00%2B00%3A00"


@pytest.mark.parametrize("of", [MLflowRunLink(), MLflowModelVersionLink(), HistoryLink()])
def test_without_an_address_there_is_no_link(of):
    assert link(of, summary={"model_version": "7", "mlflow_run_id": "abc"}) == ""
    assert link(of) == ""


@pytest.mark.parametrize(("index", "mapped"), [(-1, ""), (0, "/mapped/0"), (7, "/mapped/7")])
def test_the_xcoms_are_linked_in_airflows_own_pages(monkeypatch, index, mapped):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.org/team/")
    key = TaskInstanceKey("d", "train", "manual__2026-01-01T00:00:00+00:00", map_index=index)
    address = DebugLink().get_link(TrainOperator(task_id="train"), ti_key=key)
    run = "manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    assert address == f"https://airflow.example.org/team/dags/d/runs/{run}/tasks/train{mapped}/xcom"
