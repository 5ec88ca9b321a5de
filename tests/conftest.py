"""Fixtures that every kind of test shares: one real PostgreSQL a session, one migrated database a test that asks.

No test hears what an earlier one told its process, so that files may run in any order and in more than one process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from local.postgres import PostgresServer, free_port, new_password  # noqa: E402

ENVIRONMENTS = ROOT / ".envs"

# How busy the machine is must not decide whether a law holds.
settings.register_profile("without a deadline", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("without a deadline")

MLFLOW_TOLD = {
    "mlflow.tracking._tracking_service.utils": "_tracking_uri",
    "mlflow.tracking._model_registry.utils": "_registry_uri",
    "mlflow.tracking.fluent": "_active_experiment_id",
}
"""Where MLflow's client keeps what its process was told, by module."""

MLFLOW_TOLD_A_THREAD = ("_active_run_stack", "_last_active_run_id", "_last_logged_model_id", "_ACTIVE_MODEL_CONTEXT")
"""What the last of these modules keeps for every thread."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers take the files from the front: the long ones first, so that none of them is left alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("integration") is None)


@contextmanager
def process_kept() -> Iterator[None]:
    """At the end the environment, the working directory and MLflow's client know what they knew at the beginning.

    MLflow writes what it is told into the environment too, but believes what it was told itself. It is not imported for this:
    a client that is loaded in between had been told nothing.
    """
    environ, directory = _environ(), Path.cwd()
    told = {name: getattr(sys.modules[name], attribute) for name, attribute in MLFLOW_TOLD.items() if name in sys.modules}
    fluent = sys.modules.get("mlflow.tracking.fluent")
    told_the_thread = {name: copy(getattr(fluent, name).get()) for name in MLFLOW_TOLD_A_THREAD} if fluent else {}
    try:
        yield
    finally:
        os.chdir(directory)
        for name in _environ().keys() - environ.keys():
            del os.environ[name]
        os.environ.update(environ)
        for name, attribute in MLFLOW_TOLD.items():
            if name in sys.modules:
                setattr(sys.modules[name], attribute, told.get(name))
        if fluent := sys.modules.get("mlflow.tracking.fluent"):
            for name in MLFLOW_TOLD_A_THREAD:
                variable = getattr(fluent, name)
                variable.reset()
                if name in told_the_thread:
                    variable.set(told_the_thread[name])


def _environ() -> dict[str, str]:
    """The environment without what pytest itself keeps there."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture(scope="module", autouse=True)
def process_of_this_file() -> Iterator[None]:
    """What a file's own fixtures tell the process ends with the file. A fixture of the session tells it nothing."""
    with process_kept():
        yield


@pytest.fixture(autouse=True)
def process_of_this_test(process_of_this_file: None) -> Iterator[None]:
    """What a test tells the process ends with the test."""
    with process_kept():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL for this test session; durability is off, correctness is not."""
    directory = Path(tempfile.mkdtemp(prefix="ct-postgres-"))
    directory.chmod(0o755)
    server = PostgresServer(
        directory / "server",
        free_port(),
        new_password(),
        {"fsync": "off", "synchronous_commit": "off", "max_connections": "200", "shared_buffers": "128MB"},
    )
    server.initialise()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with the newest schema, to be copied."""
    from ct_store.migrate import migrate

    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ct_template")
    migrate(postgres_server.url("ct_template"))
    return "ct_template"


@pytest.fixture
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The URL of an empty database of the newest schema, this test's own; the user owns everything."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield postgres_server.url(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pipeline_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of the tasks and no others."""
    return _as_member(postgres_server, database_url, "ct_pipeline")


@pytest.fixture
def serving_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of serving and no others."""
    return _as_member(postgres_server, database_url, "ct_serving")


@pytest.fixture
def dashboard_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of the dashboard and no others."""
    return _as_member(postgres_server, database_url, "ct_dashboard")


def _as_member(server: PostgresServer, database_url: str, role: str) -> str:
    user = f"test_{role}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone():
            connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'test' IN ROLE {role}")
    return server.url(database_url.rsplit("/", 1)[1], user, "test")


@pytest.fixture(scope="session")
def tracking_uri() -> Iterator[str]:
    """The address of an MLflow server in its own environment, on an SQLite file."""
    python = ROOT / ".envs" / "mlflow" / "bin" / "python"
    assert python.exists(), "make the environment first: python3 local/environments.py mlflow"
    with tempfile.TemporaryDirectory(prefix="ct-mlflow-") as directory:
        port = free_port()
        command = [
            str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{directory}/mlflow.db",
            "--artifacts-destination", f"{directory}/artifacts", "--serve-artifacts",
        ]  # fmt: skip
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with Path(directory, "mlflow.log").open("wb") as log:
            server = subprocess.Popen(command, cwd=directory, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health", server)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 300
    while True:
        try:
            with opener.open(address, timeout=5):
                return
        except OSError:
            assert server.poll() is None, "MLflow ended before it was healthy"
            assert time.monotonic() < deadline, "MLflow was not healthy within 300 s"
            time.sleep(0.3)
