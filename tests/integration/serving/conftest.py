"""A real MLflow, and the API as a real process in its own environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "local"))

sys.path.insert(0, str(Path(__file__).parent))

from postgres import PostgresServer, free_port, new_password  # noqa: E402
from relay import Relay  # noqa: E402
from waiting import wait_until  # noqa: E402

MODEL_FILE = Path(__file__).parent / "priced_by_size.py"
TOKEN = "a token of the tests"


def environment_python(name: str) -> str:
    python = ROOT / ".envs" / name / "bin" / "python"
    assert python.exists(), f"make the environment first: python3 local/environments.py {name}"
    return str(python)


class MlflowServer:
    """MLflow in its own environment on an SQLite file, as a process that can be ended and started again."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            environment_python("mlflow"), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{self.directory}/mlflow.db",
            "--artifacts-destination", str(self.directory / "artifacts"), "--serve-artifacts", *self.options,
        ]  # fmt: skip
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.directory / "mlflow.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env=env, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self.healthy, 240, "MLflow is up")

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[MlflowServer]:
    with tempfile.TemporaryDirectory(prefix="ct-mlflow-") as directory:
        server = MlflowServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def mlflow_relay(mlflow_server: MlflowServer) -> Relay:
    """A closed way to MLflow."""
    return Relay(free_port(), mlflow_server.port)


class Registry:
    """A registered model of one test: log versions and move the alias."""

    def __init__(self, server: MlflowServer, name: str, directory: Path) -> None:
        import mlflow

        mlflow.set_tracking_uri(server.url)
        mlflow.set_registry_uri(server.url)
        self.mlflow = mlflow
        self.client = mlflow.MlflowClient(server.url)
        self.name = name
        self.directory = directory
        self.files: dict[str, Path] = {}

    def log(self, dollars: float, *, known_zip_codes: list[str] | None = None, scale: float = 1) -> str:
        """Register a model that asks ``dollars`` a square foot, and return its version."""
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        artifacts = self.directory / f"model-{len(list(self.directory.iterdir()))}"
        artifacts.mkdir()
        (artifacts / "model.json").write_text(json.dumps({"dollars": dollars, "scale": scale}))
        if known_zip_codes:
            (artifacts / "domain.json").write_text(json.dumps({"known": {"zip_code": known_zip_codes}}))
        texts = ("status", "city", "state", "zip_code", "prev_sold_date")
        numbers = ("bed", "bath", "acre_lot", "house_size", "brokered_by")
        inputs = [ColSpec("string", name, required=False) for name in texts]
        inputs += [ColSpec("double", name, required=False) for name in numbers]
        outputs = [ColSpec("double", name) for name in ("price", "price_low", "price_high")]
        self.mlflow.set_experiment(self.name)
        with self.mlflow.start_run():
            logged = self.mlflow.pyfunc.log_model(
                name="model",
                python_model=str(MODEL_FILE),
                artifacts={"model": str(artifacts)},
                signature=ModelSignature(Schema(inputs), Schema(outputs)),
                pip_requirements=["pandas"],
                registered_model_name=self.name,
            )
        return str(logged.registered_model_version)

    def promote(self, version: str) -> None:
        self.client.set_registered_model_alias(self.name, "production", version)


@pytest.fixture
def registry(mlflow_server: MlflowServer, tmp_path: Path, request: pytest.FixtureRequest) -> Registry:
    directory = tmp_path / "logged"
    directory.mkdir()
    return Registry(mlflow_server, f"houses-{abs(hash(request.node.nodeid))}", directory)


class Serving:
    """``python -m ct_serving`` in its own environment."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self.log = directory / "serving.log"
        self.spool = directory / "spool"
        self.environment = {
            "CT_RELOAD_SECONDS": "0.3",
            "CT_ADMIN_TOKEN": TOKEN,
            "CT_SPOOL_DIR": str(self.spool),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [environment_python("serving"), "-m", "ct_serving", "--host", "127.0.0.1", "--port", str(self.port)]
        # Compiled modules make a start seconds faster; an image brings its own.
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CT_", "MLFLOW_")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**env, **self.environment}, stdout=log, stderr=log)
        wait_until(self.alive, 120, "the API is live")

    def alive(self) -> bool:
        try:
            return self.client.get("/health/live").is_success
        except httpx.HTTPError:
            return False

    def version(self) -> str | None:
        answer = self.client.get("/health/ready").json()
        return None if answer["model"] is None else str(answer["model"]["version"])

    def wait_for(self, version: str, seconds: float = 90) -> None:
        wait_until(lambda: self.version() == version, seconds, f"version {version} answers")

    def metric(self, name: str) -> float:
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(30)
        self.process = None
        return status


@pytest.fixture
def make_serving(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    made: list[Serving] = []

    def make(**environment: str) -> Serving:
        directory = tmp_path / f"serving-{len(made)}"
        directory.mkdir()
        serving = Serving(directory, **environment)
        made.append(serving)
        serving.start()
        return serving

    yield make
    for serving in made:
        if serving.process is not None:
            serving.process.kill()
            serving.process.wait()
        print(serving.log.read_text())


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, migrated, that it may stop and start; the user ``api`` has the rights of serving."""
    import psycopg
    from ct_store.migrate import migrate

    with tempfile.TemporaryDirectory(prefix="ct-postgres-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = PostgresServer(Path(name) / "server", free_port(), new_password(), {"shared_buffers": "32MB"})
        server.initialise()
        server.start()
        migrate(server.url())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE api LOGIN PASSWORD 'test' IN ROLE ct_serving")
        yield server
        try:
            server.stop()
        except Exception as error:
            print(f"was already stopped: {error}")
