"""A training with a real PostgreSQL and a real MLflow: what is registered, what a second and a killed try leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import psycopg
import pytest
from ct_contract import BadDataError, TaskInput, TaskResult, TryLaterError

pytestmark = pytest.mark.integration

LOADS = """
import json, sys
sys.modules["house_prices"] = sys.modules["ct_train"] = None
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
print(model.predict(pd.DataFrame(json.load(open(sys.argv[2])))).to_json(double_precision=15))
"""


def task(run_id: str, decision: str, batch_id: int = 1) -> TaskInput:
    return TaskInput(task="train", dag_id="d", run_id=run_id, inputs={"batch_id": batch_id, "retrain_decision_id": decision})


@pytest.fixture
def environment(monkeypatch, tracking_uri, pipeline_url):
    """A registered model of this test's own."""
    import mlflow

    name = f"model-{uuid4().hex[:8]}"
    values = {
        "CT_DATABASE_URL": pipeline_url, "MLFLOW_TRACKING_URI": tracking_uri, "CT_MODEL_NAME": name, "CT_EXPERIMENT": name,
        "CT_CODE_VERSION": "abc123", "CT_SEED": "3",
    }  # fmt: skip
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    mlflow.set_experiment(f"{name}-of-somebody-else")
    return values


@pytest.fixture
def client(environment):
    from mlflow import MlflowClient

    return MlflowClient(environment["MLFLOW_TRACKING_URI"])


def run_as_process(environment: dict[str, str], payload: TaskInput, directory: Path) -> TaskResult:
    result = directory / f"{uuid4().hex}.json"
    subprocess.run(
        [sys.executable, "-m", "ct_train"], check=True, capture_output=True, text=True, timeout=300,
        env={**os.environ, **environment, "CT_INPUT": payload.to_json(), "CT_RESULT_PATH": str(result)},
    )  # fmt: skip
    return TaskResult.from_json(result.read_text())


def test_a_training_is_registered_whole_and_once(environment, client, clean, tmp_path):
    from ct_train.step import train
    from house_prices.frames import frame_digest, read_listings
    from house_prices.scoring import model_input
    from mlflow.artifacts import download_artifacts

    clean.add_batch(1, 1500)
    decision = clean.decide(1, "run 1")
    result = run_as_process(environment, task("run 1", decision), tmp_path)
    name = environment["CT_MODEL_NAME"]

    assert result.code == "TRAINED"
    assert result.summary["model_name"] == name
    version = client.get_model_version(name, result.summary["model_version"])
    assert client.get_model_version_by_alias(name, "challenger").version == version.version
    assert version.run_id == result.summary["mlflow_run_id"]
    assert result.links["mlflow_run"].endswith(f"/runs/{version.run_id}")
    with psycopg.connect(clean.url) as connection:
        frame = read_listings(connection)
        event = connection.execute("SELECT model_version, event, decision_id::text FROM audit.model_events").fetchall()
    assert event == [(version.version, "registered", decision)]

    # Where it comes from.
    digest = frame_digest(frame[frame["split"] == "train"])
    expected = {
        "ct.dag_id": "d", "ct.dag_run_id": "run 1", "ct.batch_id": "1", "ct.batch_ids": "1", "ct.seed": "3",
        "ct.retrain_reason": "TRAIN_BOOTSTRAP", "ct.retrain_decision_id": decision, "ct.git_sha": "abc123",
        "ct.train_digest": digest, "ct.policy": f"strict 1 {'0' * 64}",
    }  # fmt: skip
    assert expected.items() <= version.tags.items()
    assert version.description == version.tags["ct.retrain_text"]
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert expected.items() <= run.data.tags.items()
    data = {entry.dataset.name: entry.dataset for entry in run.inputs.dataset_inputs}
    assert set(data) == {f"clean.listings {split}" for split in ("train", "validation", "calibration", "test")}
    assert json.loads(data["clean.listings train"].source)["sha256"] == digest

    # What it says about itself.
    metrics = run.data.metrics
    for split in ("train", "validation", "calibration", "test"):
        assert {
            f"{split}_{m}" for m in ("mae", "mdae", "rmse", "mdape", "mean_abs_log_error", "r2", "r2_log", "coverage")
        } <= set(metrics)
    assert metrics["test_r2_log"] > 0.75
    assert 0.8 < metrics["test_coverage"] <= 1
    assert min(metrics["validation_error_catboost"], metrics["validation_error_hist_gradient_boosting"]) == pytest.approx(
        metrics["validation_mean_abs_log_error"]
    )
    assert result.summary["metrics"]["mae"] == metrics["test_mae"]
    files = Path(download_artifacts(run_id=version.run_id, dst_path=str(tmp_path / "run")))
    for picture in ("shap_beeswarm.png", "shap_bar.png", "predicted_against_price.png", "residuals.png"):
        assert (files / picture).read_bytes().startswith(b"\x89PNG"), picture
    assert sum(json.loads((files / "reliance.json").read_text()).values()) == pytest.approx(1)
    assert json.loads((files / "batches.json").read_text())[0]["digest"] == "digest-1"
    assert json.loads((files / "reference" / "profile.json").read_text())["rows"] == int((frame["split"] == "train").sum())

    # A fresh process that knows nothing of ours loads it and gives the same prices.
    local = Path(download_artifacts(f"models:/{name}/{version.version}", dst_path=str(tmp_path / "model")))
    rows = model_input(frame[frame["split"] == "test"])
    (tmp_path / "rows.json").write_text(rows.to_json(orient="records", double_precision=15))
    program = subprocess.run(
        [sys.executable, "-c", LOADS, f"models:/{name}/{version.version}", str(tmp_path / "rows.json")],
        capture_output=True, text=True, check=True, timeout=300, cwd=tmp_path, env={**os.environ, **environment},
    )  # fmt: skip
    served = pd.DataFrame(json.loads(program.stdout.splitlines()[-1]))
    from house_prices.model import load

    (settings,) = local.rglob("model.json")
    direct = load(settings.parent).predict(rows)
    np.testing.assert_allclose(served.to_numpy(), direct.to_numpy(), rtol=1e-9)
    assert json.loads((settings.parent / "domain.json").read_text())["known"]["state"] == ["California", "Oregon"]

    # Another try finds it, whatever has come into CLEAN in between.
    clean.add_batch(2, 50)
    again = train(task("run 1", decision))
    assert again.summary == result.summary
    assert len(client.search_model_versions(f"name = '{name}'")) == 1


def test_a_killed_try_leaves_one_version_and_the_same_model(environment, client, clean, monkeypatch):
    from ct_train.step import train
    from ct_train.tracking import Tracker

    clean.add_batch(1, 700)
    decision = clean.decide(1, "run 1")
    name = environment["CT_MODEL_NAME"]

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "register", killed)
        with pytest.raises(Killed):
            train(task("run 1", decision))
    assert client.search_model_versions(f"name = '{name}'") == []

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "finish", killed)
        with pytest.raises(Killed):
            train(task("run 1", decision))
    (version,) = client.search_model_versions(f"name = '{name}'")

    result = train(task("run 1", decision))
    assert result.summary["model_version"] == version.version
    assert len(client.search_model_versions(f"name = '{name}'")) == 1
    experiment = client.get_experiment_by_name(name).experiment_id
    runs = {run.info.run_id: run.info.status for run in client.search_runs([experiment])}
    assert runs.pop(version.run_id) == "FINISHED"
    assert list(runs.values()) == ["KILLED"]
    with psycopg.connect(clean.url) as connection:
        assert connection.execute("SELECT model_version FROM audit.model_events").fetchall() == [(version.version,)]

    # The same rows and seed give the same model: the killed try's metrics equal those of the registered one.
    (first,) = runs
    assert client.get_run(first).data.metrics == client.get_run(version.run_id).data.metrics


def test_what_cannot_be_trained_on_is_refused_in_words(environment, client, clean, monkeypatch):
    from ct_train.step import train

    clean.add_batch(1, 40)
    decision = clean.decide(1, "run 1")
    for payload, code in (
        (task("run 1", decision), "TOO_FEW_ROWS"),
        (task("run 1", decision, batch_id=9), "UNKNOWN_BATCH"),
        (task("run 1", str(uuid4())), "UNKNOWN_DECISION"),
        (task("run 1", "no identifier"), "UNKNOWN_DECISION"),
    ):
        with pytest.raises(BadDataError) as refused:
            train(payload)
        assert refused.value.code == code
    assert client.search_model_versions(f"name = '{environment['CT_MODEL_NAME']}'") == []

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.set_registry_uri("http://127.0.0.1:9")
    with pytest.raises(TryLaterError, match="MLflow did not answer"):
        train(task("run 1", decision))
