"""The programs that Prometheus reads on one machine, each as its chart configures it, and Prometheus itself."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ROOT / ".envs"
sys.path[:0] = [str(ROOT), str(ROOT / "tests/unit/helm")]

from local.postgres import free_port  # noqa: E402
from tools import TOOLS, run_tool  # noqa: E402

SCRAPE_SECONDS = 2
START_SECONDS = 600
"""How long a program may take to be healthy, on a machine that has much else to do."""
DAGS = """
from datetime import datetime
from airflow.sdk import DAG, task

def one(name, wrong):
    with DAG(name, schedule="@once", start_date=datetime(2026, 1, 1), is_paused_upon_creation=False) as dag:
        @task(task_id="only")
        def work():
            if wrong:
                raise ValueError("as it was meant to")
        work()
    return dag

well, badly = one("ends_well", False), one("ends_badly", True)
"""


def port_of_a_later_server() -> int:
    """A free port below those that clients get: Prometheus, knocking at one of those, could be given it itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], object], seconds: float, what: Callable[[], str]) -> Any:
    """What ``condition`` returns as soon as it is true; errors of a connection are waited out."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what()}"
        time.sleep(0.3)


def answers(url: str) -> bool:
    """Whether an address answers with 200. Raises OSError if nobody does."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
        return bool(answer.status == 200)


@contextmanager
def running(command: Sequence[object], log: Path, env: Mapping[str, str], health: str = "") -> Iterator[None]:
    """A program for the time of the block, healthy when the block begins."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*map(str, command)], env=dict(env), stdout=output, stderr=output, cwd=log.parent, start_new_session=True
        )

    def healthy() -> bool:
        assert process.poll() is None, log.read_text()[-4000:]
        return not health or answers(health)

    try:
        wait_until(healthy, START_SECONDS, lambda: log.read_text()[-4000:])
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def render(chart: str, directory: Path, *settings: str) -> list[dict[str, Any]]:
    """The objects of a chart with its defaults and ``settings``."""
    copy = directory / "charts" / chart
    ignore = shutil.ignore_patterns("charts", "__pycache__")
    shutil.copytree(ROOT / "helm" / chart, copy, ignore=ignore)
    shutil.copytree(ROOT / "helm/lib", copy / "charts/lib", ignore=ignore)
    done = run_tool("helm", "template", chart, copy, "--namespace=x", *(f"--set={one}" for one in settings))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def named(objects: Sequence[Mapping[str, Any]], kind: str, name: str) -> Any:
    """One object."""
    [found] = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


@contextmanager
def exporter(port: int, database_url: str, directory: Path) -> Iterator[None]:
    """``ct_store.exporter`` in its own environment."""
    command = [ENVIRONMENTS / "store/bin/python", "-m", "ct_store.exporter", "--port", port]
    env = {"PATH": os.defpath, "CT_DATABASE_URL": database_url}
    with running(command, directory / "exporter.log", env, f"http://127.0.0.1:{port}/health/live"):
        yield


@contextmanager
def data_source(port: int, directory: Path) -> Iterator[None]:
    """The data source with little data."""
    command = [ENVIRONMENTS / "data_source/bin/python", "-m", "ct_data_source", "--port", port, "--scale", "1", "--cache",
               directory / "cache"]  # fmt: skip
    with running(command, directory / "source.log", {"PATH": os.defpath}, f"http://127.0.0.1:{port}/health"):
        yield


@contextmanager
def airflow(metrics: int, database: str, directory: Path) -> Iterator[None]:
    """Airflow's four components on a database, and the chart's StatsD exporter, which shows their metrics at a port."""
    objects = render("airflow", directory, "dags.repository=git://g/x.git")
    statsd, api = free_port(), free_port()
    home = directory / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "two.py").write_text(DAGS)
    (home / "passwords.json").write_text(json.dumps({"admin": "admin"}))
    mapping = home / "mapping.yaml"
    mapping.write_text(named(objects, "ConfigMap", "airflow-statsd")["data"]["mapping.yaml"])
    [container] = named(objects, "Deployment", "airflow-statsd")["spec"]["template"]["spec"]["containers"]
    given = {
        "--statsd.listen-udp": f"127.0.0.1:{statsd}",
        "--web.listen-address": f"127.0.0.1:{metrics}",
        "--statsd.mapping-config": str(mapping),
    }
    arguments = [f"{name}={given.get(name, value)}" for name, _, value in (one.partition("=") for one in container["args"])]
    chart = named(objects, "ConfigMap", "airflow")["data"]
    url = database.replace("postgresql://", "postgresql+psycopg://", 1)
    settings = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 2,
        "CORE__LOAD_EXAMPLES": False,
        "CORE__DAGS_FOLDER": home / "dags",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": url,
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": url.replace("+psycopg:", "+psycopg_async:", 1),
        "API__HOST": "127.0.0.1",
        "API__PORT": api,
        "API__WORKERS": 1,
        "API__SECRET_KEY": "of the tests",
        "API_AUTH__JWT_SECRET": "of the tests, and long enough for sixty-four bytes of a signature's key",
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "LOGGING__WORKER_LOG_SERVER_PORT": free_port(),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": free_port(),
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    env = {name: value for name, value in chart.items() if name.startswith("AIRFLOW__METRICS__")}
    assert env["AIRFLOW__METRICS__STATSD_ON"] == "True"
    env |= {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}
    env |= {"AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1", "AIRFLOW__METRICS__STATSD_PORT": str(statsd)}
    env |= {
        "AIRFLOW_HOME": str(home),
        "HOME": str(home),
        "PATH": f"{ENVIRONMENTS / 'airflow/bin'}:{os.defpath}",
        "no_proxy": "*",
    }
    binary = ENVIRONMENTS / "airflow/bin/airflow"
    with ExitStack() as stack:
        start = stack.enter_context
        ready = f"http://127.0.0.1:{metrics}/-/ready"
        start(running([TOOLS / "statsd_exporter", *arguments], home / "statsd.log", {"PATH": os.defpath}, ready))
        done = subprocess.run([str(binary), "db", "migrate"], env=env, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        for component in ("dag-processor", "triggerer"):
            start(running([binary, component], home / f"{component}.log", env))
        # Tasks call the API server as soon as the scheduler starts them.
        start(running([binary, "api-server"], home / "api-server.log", env, f"http://127.0.0.1:{api}/execution/health"))
        start(running([binary, "scheduler"], home / "scheduler.log", env))
        yield


@contextmanager
def prometheus(targets: Mapping[str, int], directory: Path) -> Iterator[str]:
    """Prometheus with the chart's monitors and rules, reading ``targets`` (port by monitor) often; its address.

    A monitor without a target is left out; a target without a monitor is an error of the test.
    """
    objects = render("observability", directory)
    monitors = {one["metadata"]["name"]: one["spec"]["endpoints"][0] for one in objects if one["kind"] == "ServiceMonitor"}
    assert targets.keys() <= monitors.keys()
    # The operator names a job after the Service, as the monitors here are named, and adds the pod.
    scrapes = [
        {"job_name": name, "metrics_path": monitors[name]["path"],
         "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"pod": f"{name}-0"}}]}
        for name, port in targets.items()
    ]  # fmt: skip
    groups = [group for one in objects if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
    (directory / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    seconds = f"{SCRAPE_SECONDS}s"
    configuration = {
        "global": {"scrape_interval": seconds, "scrape_timeout": seconds, "evaluation_interval": seconds},
        "rule_files": ["rules.yaml"],
        "scrape_configs": scrapes,
    }
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [TOOLS / "prometheus", "--config.file=prometheus.yaml", f"--storage.tsdb.path={directory / 'tsdb'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]  # fmt: skip
    with running(command, directory / "prometheus.log", {"PATH": os.defpath}, f"{address}/-/ready"):
        yield address
