"""``/predict`` with its durable log against ``mlflow models serve`` of the same model, one process each, in one run.

``make bench TESTS=tests/bench/serving`` prints the tables and writes docs/benchmarks/serving.md.
SERVING_SECONDS (default 5) and SERVING_ROUNDS (default 3) set the length; less than the default writes no document.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from local.postgres import PostgresServer, free_port, new_password

sys.path.insert(0, str(Path(__file__).parent))

import report
from models import TREES, Models, register, train

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[3]
SECONDS = float(os.environ.get("SERVING_SECONDS", "5"))
ROUNDS = int(os.environ.get("SERVING_ROUNDS", "3"))
LEAST_RATIO, MOST_P99, MOST_P50, MOST_P50_DURABLE, MOST_1000 = 20, 15.0, 1.0, 2.0, 30.0
MOST_MEGABYTES, MOST_SECONDS_TO_READY = 320, 4.0

# The classes of the integration tests, whose conftest has no name to import it by.
_specification = importlib.util.spec_from_file_location("serving_stack", ROOT / "tests/integration/serving/conftest.py")
assert _specification is not None
assert _specification.loader is not None
stack = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(stack)


@dataclass(frozen=True)
class Point:
    """One server at one load; ``each`` holds what load.py printed, with ``server_cpu_us``, a round."""

    server: str
    load: str
    each: list[dict[str, Any]]

    def median(self, key: str) -> float:
        return statistics.median(one[key] for one in self.each)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return train(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL as it comes: fsync and synchronous_commit are on."""
    from ct_store.migrate import migrate

    with tempfile.TemporaryDirectory(prefix="ct-postgres-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = PostgresServer(Path(name) / "server", free_port(), new_password(), {"shared_buffers": "128MB"})
        server.initialise()
        server.start()
        migrate(server.url())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE api LOGIN PASSWORD 'test' IN ROLE ct_serving")
        yield server
        server.stop()


@dataclass
class Server:
    """A process under load: where it listens and what it has cost."""

    pid: int
    port: int
    path: str
    ready_seconds: float

    def cpu_seconds(self) -> float:
        """Of the process and those that it started."""
        total = 0.0
        for pid in _family(self.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def megabytes(self) -> float:
        """Resident memory of the same."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _family(self.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _family(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(one for child in children for one in _family(child))]


def under_load(server: Server, bodies: Path, connections: int, seconds: float = SECONDS) -> dict[str, Any]:
    python = stack.environment_python("serving")
    command = [python, str(Path(__file__).parent / "load.py"), str(server.port), server.path, str(bodies)]
    before = server.cpu_seconds()
    done = subprocess.run([*command, str(connections), str(seconds)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found["statuses"]) == {"200"}, found["statuses"]
    return {**found, "server_cpu_us": (server.cpu_seconds() - before) / found["statuses"]["200"] * 1e6}


@contextmanager
def serving(directory: Path, url: str, name: str, tracking_uri: str, durable: bool) -> Iterator[Server]:
    directory.mkdir()
    process = stack.Serving(
        directory,
        CT_DATABASE_URL=url,
        MLFLOW_TRACKING_URI=tracking_uri,
        CT_MODEL_NAME=name,
        CT_DURABLE="true" if durable else "false",
        CT_RELOAD_SECONDS="5",
    )
    started = time.monotonic()
    process.start()
    try:
        while process.client.get("/health/ready").status_code != 200:
            assert time.monotonic() < started + 300, process.log.read_text()
            time.sleep(0.02)
        yield Server(process.process.pid, process.port, "/predict", time.monotonic() - started)
        assert process.metric("ct_inference_log_dropped_total") == 0
    finally:
        process.stop()


@contextmanager
def rival(directory: Path, name: str, tracking_uri: str) -> Iterator[Server]:
    """``mlflow models serve`` with one worker, which keeps nothing on record."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{name}@production", "--env-manager", "local",
               "-p", str(port), "--workers", "1"]  # fmt: skip
    env = {**os.environ, "MLFLOW_TRACKING_URI": tracking_uri, "MLFLOW_REGISTRY_URI": tracking_uri}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    started = time.monotonic()
    with (directory / "rival.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        while not _answers(f"http://127.0.0.1:{port}/ping"):
            assert process.poll() is None, (directory / "rival.log").read_text()
            assert time.monotonic() < started + 300
            time.sleep(0.1)
        yield Server(process.pid, port, "/invocations", time.monotonic() - started)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).is_success
    except httpx.HTTPError:
        return False


def write_bodies(directory: Path, homes: list[dict[str, Any]]) -> dict[str, Path]:
    """A file of bodies for each form: varied rows, for a cache would be no answer."""
    floats = [{name: float(value) if isinstance(value, int) else value for name, value in home.items()} for home in homes]
    forms: dict[str, list[Any]] = {
        "one": homes,
        "many": [{"instances": homes[start : start + 1000]} for start in range(0, 2000, 100)],
        "rival one": [{"dataframe_records": [home]} for home in floats],
        "rival many": [{"dataframe_records": floats[start : start + 1000]} for start in range(0, 2000, 100)],
    }
    for name, bodies in forms.items():
        (directory / f"{name}.jsonl").write_text("\n".join(json.dumps(body) for body in bodies))
    return {name: directory / f"{name}.jsonl" for name in forms}


def rounds(measure: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    return [measure() for _ in range(ROUNDS)]


def test_the_bars_of_the_hot_path(models, postgres, tracking_uri, tmp_path):
    bodies = write_bodies(tmp_path, models.homes)
    names = {f"{TREES} trees": models.small, f"{models.trees} trees": models.default}
    for name, directory in names.items():
        register(directory, name, tracking_uri)
    small = next(iter(names))
    url = postgres.url(user="api", password="test")
    points: list[Point] = []
    sizes: dict[str, float] = {}
    ready: dict[str, float] = {}
    kept = 0

    def measure(server: Server, label: str, prefix: str = "") -> None:
        nonlocal kept
        for load, form, connections in (("1", "one", 1), ("32", "one", 32), ("1 x 1,000 rows", "many", 1)):
            each = rounds(lambda form=form, c=connections: under_load(server, bodies[prefix + form], c))
            points.append(Point(label, load, each))
            if not prefix:
                rows = 1000 if form == "many" else 1
                kept += rows * sum(one["statuses"]["200"] for one in each)
        sizes[label], ready[label] = server.megabytes(), server.ready_seconds

    with rival(tmp_path, small, tracking_uri) as server:
        measure(server, f"mlflow models serve, {small}", "rival ")
    for name in names:
        for durable in (True, False):
            label = f"/predict {'durable' if durable else 'not durable'}, {name}"
            with serving(tmp_path / label.replace("/", ""), url, name, tracking_uri, durable) as server:
                measure(server, label)
    with psycopg.connect(postgres.url()) as connection:
        found = connection.execute("SELECT count(*) FROM raw.inferences WHERE status = 'ok'").fetchone()[0]
    text = report.write(
        points, sizes=sizes, ready=ready, found=found, kept=kept, trees=models.trees, seconds=SECONDS, rounds=ROUNDS
    )
    print(text)
    if SECONDS >= 5 and ROUNDS >= 3:
        (ROOT / "docs/benchmarks/serving.md").write_text(text)

    at = {(point.server, point.load): point for point in points}
    durable, loose, other = (
        f"/predict durable, {small}", f"/predict not durable, {small}", f"mlflow models serve, {small}",
    )  # fmt: skip
    assert found == kept
    ratio = at[durable, "32"].median("per_second") / at[other, "32"].median("per_second")
    assert ratio >= LEAST_RATIO
    assert at[durable, "32"].median("p99") < MOST_P99
    assert at[loose, "1"].median("p50") < MOST_P50
    assert at[durable, "1"].median("p50") <= MOST_P50_DURABLE
    assert at[durable, "1 x 1,000 rows"].median("p50") < MOST_1000
    assert sizes[durable] < MOST_MEGABYTES
    assert ready[durable] <= MOST_SECONDS_TO_READY
