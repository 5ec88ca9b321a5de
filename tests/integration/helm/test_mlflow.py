"""The MLflow chart's command and settings, on a real MLflow server: who may call it by which name."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/unit/helm")]

from local.postgres import free_port  # noqa: E402
from tools import run_tool  # noqa: E402

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """The container as the chart makes it, with one public name."""
    charts = tmp_path_factory.mktemp("charts")
    shutil.copytree(ROOT / "helm/mlflow", charts / "mlflow", ignore=shutil.ignore_patterns("charts"))
    shutil.copytree(ROOT / "helm/lib", charts / "mlflow/charts/lib")
    arguments = ["--namespace=continuous-training", '--set-json=publicHosts=["mlflow.example.org"]']
    done = run_tool("helm", "template", "mlflow", charts / "mlflow", *arguments)
    assert done.returncode == 0, done.stderr
    [deployment] = [one for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == "Deployment"]
    return deployment["spec"]["template"]["spec"]["containers"][0]


@pytest.fixture(scope="module")
def server(container, tmp_path_factory):
    """The same command on this machine: another port, SQLite for PostgreSQL, a folder for the bucket."""
    directory = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    given = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--artifacts-destination": str(directory),
        "--expose-prometheus": str(directory / "metrics"),
    }
    arguments = [
        f"{name}={given[name]}" if (name := argument.partition("=")[0]) in given else argument for argument in container["args"]
    ]
    environment = {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}
    # What the kubelet does with the pod's address.
    hosts = "MLFLOW_SERVER_ALLOWED_HOSTS"
    environment[hosts] = environment[hosts].replace("$(POD_IP)", "10.244.0.7")
    environment |= {"PATH": os.defpath, "HOME": str(directory), "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{directory}/mlflow.db"}
    command = [ROOT / ".envs/mlflow/bin" / container["command"][0], *container["command"][1:], *arguments]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=directory, start_new_session=True)
    deadline = time.monotonic() + 240
    while True:
        try:
            if ask(port, "/health", "anything") == 200:
                break
        except OSError:
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.5)
    yield port
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


def ask(port: int, path: str, host: str) -> int:
    """The status of an answer to a request that calls the server by a name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
NAMES = (
    "mlflow",
    "mlflow.continuous-training",
    "mlflow.continuous-training.svc",
    "mlflow.continuous-training.svc.cluster.local",
    "localhost",
)


@pytest.mark.parametrize("host", [*NAMES, *(f"{name}:5000" for name in NAMES), "mlflow.example.org"])
def test_clients_are_answered_by_every_name_with_and_without_the_port(server, host):
    assert ask(server, SEARCH, host) == 200


@pytest.mark.parametrize("host", ["evil.example.org", "mlflow.evil.example.org:5000", "10.1.2.3"])
def test_others_are_refused(server, host):
    assert ask(server, SEARCH, host) == 403


def test_metrics_are_read_by_the_address_of_a_pod_and_have_the_names_that_rules_use(server):
    connection = http.client.HTTPConnection("127.0.0.1", server, timeout=30)
    ask(server, SEARCH, "mlflow")
    connection.request("GET", "/metrics", headers={"Host": "10.244.0.7:5000"})
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200
    assert "mlflow_http_request_total{" in text
    assert "mlflow_http_request_duration_seconds_bucket{" in text
