"""A system under load with a history, as Prometheus sees it: real programs, a real database, real requests."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from clients import USERS, load
from programs import ROOT, airflow, data_source, exporter, port_of_a_later_server, prometheus
from promql import PrometheusClient

sys.path[:0] = [str(ROOT / "tests/integration/dashboard"), str(ROOT / "tests/unit/model")]

import written  # noqa: E402

MODEL = "house-prices"
MONITORS = ("serving", "mlflow", "databases-exporter", "airflow-statsd", "data-source")
LOAD = {"steady": "20s", "malformed": "8s"}


@dataclass
class Watched:
    """What the tests ask: Prometheus, the database as the dashboard reads it, and what clients counted themselves."""

    prometheus: PrometheusClient
    database_url: str
    serving_url: str
    clients: dict[str, int] = field(default_factory=dict)
    """Requests by Locust's name of them."""
    users = len(LOAD) * USERS
    loaded_until: float = 0.0
    """When the last of them had its answer, seconds."""

    @property
    def priced_routes(self) -> int:
        """Requests that went to /predict or /explain."""
        return sum(count for name, count in self.clients.items() if name not in {"model", "wrong path"})


def _servers() -> Any:
    """The servers of the tests of serving: MLflow, its registry, and the API as a process."""
    path = ROOT / "tests/integration/serving/conftest.py"
    spec = importlib.util.spec_from_file_location("monitoring_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _member(administrator: str, database_url: str, *roles: str) -> str:
    """A user of those roles, and the database's URL for it."""
    name = f"watched_{uuid4().hex[:8]}"
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'test' IN ROLE {', '.join(roles)}")
    address, _, database = database_url.rpartition("/")
    return f"postgresql://{name}:test@{address.rpartition('@')[2]}/{database}"


def _history(url: str) -> written.Pipeline:
    """Runs of the last hours: models promoted and rejected, one held for a person who said no, one batch refused."""
    pipeline = written.Pipeline(url)
    kept, written.START = written.START, datetime.now(UTC) - timedelta(hours=8)
    try:
        pipeline.all()
        pipeline.batch(accepted=False)
        run, batch = pipeline.batch(300)
        pipeline.decide(run, batch, "retrain", "train", "TRAIN_NEW_CATEGORIES", champion_version="2",
                        facts={"batch_number": 4, "fired": ["unseen_state"]},
                        signals=[written.ERROR_RATIO, written.NEW_STATE])  # fmt: skip
        pipeline.decide(run, batch, "promotion", "hold", "HOLD_APPROVAL", champion_version="2", challenger_version="4",
                        gates=[written.LEAKAGE], evaluations=_evaluations())  # fmt: skip
        pipeline.decide(run, batch, "approval", "reject", "REJECT_BY_HUMAN", champion_version="2", challenger_version="4")
    finally:
        written.START = kept
    return pipeline


def _evaluations() -> list[dict[str, Any]]:
    """What a promotion decision keeps of its two models."""
    common = {"dataset": "hold-out", "dataset_digest": "d", "row_count": 2000}
    return [
        {**common, "role": role, "model_version": version, "metrics": {"mae": mae, "mdape": 0.11, "coverage": 0.9}}
        for role, version, mae in (("champion", "2", 61_000.0), ("challenger", "4", 60_500.0))
    ]


def _register_two_versions(registry: Any, directory: Path) -> None:
    """A model as the pipeline trains it, twice."""
    import house_prices.model
    from ct_train.fitting import fit
    from priced_homes import listings

    model = fit(listings(600), _made(directory / "fitted"), 0)
    registry.mlflow.set_experiment(MODEL)
    for _ in range(2):
        with registry.mlflow.start_run():
            registry.mlflow.pyfunc.log_model(
                name="model",
                python_model=str(house_prices.model.__file__),
                artifacts={"model": str(model.directory)},
                pip_requirements=["pandas"],
                registered_model_name=MODEL,
            )


@contextmanager
def watched(postgres: Any, template: str, directory: Path) -> Iterator[Watched]:
    """Bring everything up, let clients ask and the model change, and keep it running for the block."""
    servers = _servers()
    administrator = postgres.url()
    name = f"watched_{uuid4().hex[:8]}"
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection.execute(f"CREATE DATABASE {name}_airflow")
    database = postgres.url(name)
    pipeline = _history(database)
    ports = {monitor: port_of_a_later_server() for monitor in MONITORS}
    reader = _member(administrator, database, "ct_dashboard", "pg_monitor")
    with ExitStack() as stack:
        # Prometheus and the history first: a promotion is seen where what was before it had been read for a minute.
        stack.enter_context(exporter(ports["databases-exporter"], reader, directory))
        client = PrometheusClient(stack.enter_context(prometheus(ports, directory)))
        begun = time.time()
        mlflow = servers.MlflowServer(_made(directory / "mlflow"), f"--expose-prometheus={directory / 'mlflow-metrics'}")
        mlflow.port = ports["mlflow"]
        mlflow.url = f"http://127.0.0.1:{mlflow.port}"
        stack.callback(mlflow.stop)
        with ThreadPoolExecutor(3) as pool:
            starts = [
                pool.submit(stack.enter_context, airflow(ports["airflow-statsd"], postgres.url(f"{name}_airflow"), directory)),
                pool.submit(stack.enter_context, data_source(ports["data-source"], directory)),
                pool.submit(mlflow.start),
            ]
        for start in starts:
            start.result()
        registry = servers.Registry(mlflow, MODEL, _made(directory / "logged"))
        _register_two_versions(registry, directory)
        registry.promote("2")
        serving = servers.Serving(
            _made(directory / "serving"),
            CT_DATABASE_URL=_member(administrator, database, "ct_serving"),
            MLFLOW_TRACKING_URI=mlflow.url,
            CT_RATE_PER_SECOND="0",
        )
        serving.port = ports["serving"]
        serving.url = f"http://127.0.0.1:{serving.port}"
        serving.client = httpx.Client(base_url=serving.url, timeout=30, trust_env=False)
        stack.callback(lambda: serving.process and serving.stop())
        serving.start()
        serving.wait_for("2")
        system = Watched(client, reader, serving.url)
        system.clients = load(serving.url, LOAD)
        system.loaded_until = time.time()
        source = httpx.Client(base_url=f"http://127.0.0.1:{ports['data-source']}", trust_env=False)
        for _ in range(3):
            source.get("/data", params={"group_number": 1, "day": "Tuesday"})
            time.sleep(2)
        _wait_for_a_minute_of_before(begun)
        pipeline.event("run-3", "1", "rolled_back")
        registry.promote("1")
        serving.wait_for("1")
        yield system
    with psycopg.connect(administrator, autocommit=True) as connection:
        for one in (name, f"{name}_airflow"):
            connection.execute(f"DROP DATABASE {one} WITH (FORCE)")


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _wait_for_a_minute_of_before(begun: float) -> None:
    """Return when a full minute has passed since Prometheus first read: annotations look at full minutes."""
    first = (begun // 60 + 1) * 60
    time.sleep(max(0.0, first + 5 - time.time()))
