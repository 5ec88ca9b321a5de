"""The real model gives the same prices by ``/predict``, by MLflow's pyfunc and by ``mlflow models serve``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from house_prices.requests import golden_requests, request_frame

from local.postgres import free_port

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "unit" / "model"))

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trained(mlflow_server: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """The registered name of a model that was trained and logged as the train step does it, and requests to ask it."""
    import house_prices.model
    import mlflow
    from ct_train.fitting import fit
    from ct_train.tracking import SIGNATURE
    from priced_homes import listings

    homes = listings(1500)
    directory = tmp_path_factory.mktemp("trained")
    fit(homes, directory, 0)
    mlflow.set_tracking_uri(mlflow_server.url)
    mlflow.set_registry_uri(mlflow_server.url)
    mlflow.set_experiment("same prices")
    mlflow.pyfunc.log_model(
        name="model", python_model=str(Path(house_prices.model.__file__)), artifacts={"model": str(directory)},
        signature=SIGNATURE, pip_requirements=["mlflow-skinny"], registered_model_name="same-prices",
    )  # fmt: skip
    mlflow.MlflowClient(mlflow_server.url).set_registered_model_alias("same-prices", "production", "1")
    return "same-prices", golden_requests(homes, 300)


@pytest.fixture
def scoring_server(trained: tuple[str, Any], mlflow_server: Any) -> Iterator[str]:
    """``mlflow models serve`` of the same version."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{trained[0]}@production",
               "--env-manager", "local", "-p", str(port), "--workers", "1"]  # fmt: skip
    env = {**os.environ, "MLFLOW_TRACKING_URI": mlflow_server.url, "MLFLOW_REGISTRY_URI": mlflow_server.url}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    server = subprocess.Popen(command, env=env, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while not _answers(url):
            assert server.poll() is None, "mlflow models serve ended"
            assert time.monotonic() < deadline, "mlflow models serve is not up"
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", trust_env=False, timeout=5).is_success
    except httpx.HTTPError:
        return False


def test_the_same_rows_have_the_same_prices_everywhere(trained, make_serving, serving_url, mlflow_server, scoring_server):
    import mlflow

    name, requests = trained
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=name)
    serving.wait_for("1", 120)
    assert "own way, which is not used" not in serving.log.read_text()
    together = serving.client.post("/predict", json={"instances": requests}).json()["predictions"]
    alone = [serving.client.post("/predict", json=request).json() for request in requests[:60]]
    ours = np.array([[row["price"], row["interval"]["low"], row["interval"]["high"]] for row in together])
    singles = np.array([[row["price"], row["interval"]["low"], row["interval"]["high"]] for row in alone])

    loaded = mlflow.pyfunc.load_model(f"models:/{name}@production")
    by_pyfunc = loaded.predict(request_frame(requests))[["price", "price_low", "price_high"]].to_numpy()
    columns = list(requests[0])
    split = {"columns": columns, "data": [[request[column] for column in columns] for request in requests]}
    answer = httpx.post(f"{scoring_server}/invocations", json={"dataframe_split": split}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    by_server = np.array([[row[key] for key in ("price", "price_low", "price_high")] for row in answer.json()["predictions"]])

    np.testing.assert_allclose(by_pyfunc, ours, rtol=1e-9)
    np.testing.assert_allclose(by_server, ours, rtol=1e-9)
    np.testing.assert_allclose(singles, ours[: len(singles)], rtol=1e-9)
