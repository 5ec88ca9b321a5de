"""The services of a stream, for real: PostgreSQL, MLflow, the data source; and the seven steps in their own environments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from local.postgres import PostgresServer, free_port

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ROOT / ".envs"
SCALE = "2"
SOURCE_SECONDS = 120


@dataclass(frozen=True)
class World:
    """A database, an MLflow model and a source of a stream's own."""

    database_url: str
    tracking_uri: str
    source_url: str
    model_name: str

    @property
    def environment(self) -> dict[str, str]:
        """What a task is told by its environment."""
        return {
            "CT_DATABASE_URL": self.database_url,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "CT_MODEL_NAME": self.model_name,
            "CT_EXPERIMENT": self.model_name,
            "CT_CODE_VERSION": "of this test",
        }


def serve_source(directory: Path, scale: str = SCALE) -> Iterator[str]:
    """Serve the data source at a percentage of the real sizes and yield its address."""
    port = free_port()
    python = ENVIRONMENTS / "data_source" / "bin" / "python"
    command = [
        str(python), "-m", "ct_data_source", "--host", "127.0.0.1", "--port", str(port), "--scale", scale, "--cache",
        str(directory / "cache"),
    ]  # fmt: skip
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + SOURCE_SECONDS
    try:
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline, "the data source was not healthy in time"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def source_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The data source at 2 % of the real sizes; every group has a cursor of its own."""
    yield from serve_source(tmp_path_factory.mktemp("source"))


def make_world(server: PostgresServer, template: str, tracking_uri: str, source_url: str) -> World:
    """A database and a model name of a stream's own; its user has the rights of the tasks and no others."""
    name = f"world_{uuid4().hex[:8]}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'test' IN ROLE ct_pipeline")
    return World(server.url(name, name, "test"), tracking_uri, source_url, name.replace("_", "-"))


@pytest.fixture(scope="session")
def new_world(postgres_server: PostgresServer, migrated_template: str, tracking_uri: str, source_url: str) -> Any:
    """Make a world."""
    return lambda: make_world(postgres_server, migrated_template, tracking_uri, source_url)


class Step:
    """One step as a process of its own environment, as the process runner starts it."""

    def __init__(self, world: World, task: str, run_id: str, inputs: Mapping[str, Any], directory: Path) -> None:
        self.result_path = directory / f"{task}-{uuid4().hex}.json"
        payload = {"version": 1, "task": task, "dag_id": "d", "run_id": run_id, "try_number": 1, "inputs": dict(inputs)}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [str(ENVIRONMENTS / task / "bin" / "python"), "-m", f"ct_{task}"],
            env={**kept, **world.environment, "CT_INPUT": json.dumps(payload), "CT_RESULT_PATH": str(self.result_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for_line(self, words: str) -> str:
        """Read the log until a line holds the words."""
        assert self.process.stdout is not None
        read = []
        for line in self.process.stdout:
            read.append(line)
            if words in line:
                return line
        raise AssertionError(f"no line with {words!r} in:\n{''.join(read)}")

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def finish(self) -> tuple[int, dict[str, Any] | None]:
        """Wait for the end; exit status and result."""
        output, _ = self.process.communicate(timeout=600)
        result = json.loads(self.result_path.read_text()) if self.result_path.exists() else None
        assert self.process.returncode in (0, 65, 99), output
        return self.process.returncode, result
