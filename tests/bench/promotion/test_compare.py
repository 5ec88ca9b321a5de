"""Is a history decided again what a real run decides? Real listings through the real steps, under two policies.

``.envs/dev/bin/pytest tests/bench/promotion/test_compare.py -m bench -s`` serves the sample of real listings by the replica of
the data source, runs the seven steps over its six batches once under each policy, compares, and writes
docs/benchmarks/compare.md. BENCH_DATA is the folder of the sample.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from local.postgres import PostgresServer, free_port

sys.path.insert(0, str(Path(__file__).parent))

from real_listings import DATA, ROOT

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not DATA.exists(), reason="the development data are not here: set BENCH_DATA"),
]

REPORT = ROOT / "docs" / "benchmarks" / "compare.md"
LISTINGS = DATA / "class-api-batches-4.5pct.parquet"
POLICIES = ("strict", "course-2026")
BATCHES = 6


def _services() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_services", ROOT / "tests" / "integration" / "pipeline" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["bench_services"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


services = _services()


@dataclass(frozen=True)
class World(services.World):  # type: ignore[name-defined,misc]
    """A stream's own services, and the policy that its steps are told."""

    policy: str = "strict"

    @property
    def environment(self) -> dict[str, str]:
        """What a task is told by its environment."""
        told: dict[str, str] = super().environment
        return {**told, "CT_POLICY": self.policy}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The replica of the data source on the sample of real listings."""
    directory, port = tmp_path_factory.mktemp("source"), free_port()
    python = services.ENVIRONMENTS / "data_source" / "bin" / "python"
    command = [str(python), "-m", "ct_data_source", "--host", "127.0.0.1", "--port", str(port), "--listings", str(LISTINGS),
               "--cache", str(directory / "cache")]  # fmt: skip
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + services.SOURCE_SECONDS
    try:
        while True:
            try:
                services.urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline, "the data source was not healthy in time"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def stream(world: World, group: int, directory: Path) -> float:
    """All batches through every step that a run takes; how long it took, in seconds."""
    began = time.monotonic()
    for batch in range(BATCHES):

        def step(task: str, inputs: dict[str, Any], run_id: str = f"batch {batch}") -> dict[str, Any]:
            status, result = services.Step(world, task, run_id, inputs, directory).finish()
            assert status == 0, result
            summary: dict[str, Any] = result["summary"]
            return summary

        found = {
            "batch_id": step("collect", {"source_url": world.source_url, "group_number": group, "day": "Tuesday"})["batch_id"]
        }
        step("validate", found)
        step("clean", found)
        retrain = step("assess", found)
        if retrain["decision"] != "train":
            continue
        version = {"model_version": step("train", {**found, "retrain_decision_id": retrain["decision_id"]})["model_version"]}
        judged = step("evaluate", {**found, **version})
        step("promote", {**found, **version, "action": judged["decision"], "decision_id": judged["decision_id"]})
    return time.monotonic() - began


def compared(world: World, policy: str) -> tuple[int, dict[str, Any], float]:
    """Exit status and answer of the command line, and how long it took, in seconds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
    program = "from continuous_training.cli import main; raise SystemExit(main())"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, "policy", "compare", policy, "--json", "--environments", str(services.ENVIRONMENTS)],
        env=kept | {"CT_DATABASE_URL": world.database_url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), time.monotonic() - began


def recorded(world: World) -> list[tuple[int, str, str, str]]:
    """Batch, kind, outcome and code of every decision that a world has recorded."""
    with psycopg.connect(world.database_url) as connection:
        return connection.execute(
            "SELECT (facts ->> 'batch_number')::int, kind, outcome, code FROM audit.decisions ORDER BY decided_at"
        ).fetchall()


def test_the_real_replay_decided_again_is_what_a_real_run_decides(
    postgres_server: PostgresServer, migrated_template: str, tracking_uri: str, source: str, tmp_path: Path
) -> None:
    worlds: dict[str, World] = {}
    seconds: dict[str, float] = {}
    for group, policy in enumerate(POLICIES, start=1):
        made = services.make_world(postgres_server, migrated_template, tracking_uri, source)
        worlds[policy] = replace(World(made.database_url, made.tracking_uri, made.source_url, made.model_name), policy=policy)
        seconds[policy] = stream(worlds[policy], group, tmp_path)
        print(f"{policy}: {seconds[policy]:.0f} s", flush=True)
    parts, agreed = [], []
    for policy, other in (POLICIES, POLICIES[::-1]):
        status, itself, took = compared(worlds[policy], policy)
        assert (status, itself["counts"]["different"], itself["counts"]["unknown"]) == (0, 0, 0)
        _, answer, _ = compared(worlds[policy], other)
        real = recorded(worlds[other])
        first = next((n for n, row in enumerate(answer["rows"]) if row["change"] != "same"), len(answer["rows"]))
        told = [(r["batch_number"], r["kind"], r["right"]["outcome"], r["right"]["code"]) for r in answer["rows"]]
        agreed.append(told[: first + 1] == real[: first + 1])
        rows = [
            f"| {row['batch_number']} | {row['kind']} | {row['left']['code']} | {row['right']['code']} | "
            f"{real[place][3] if place <= first else ''} |"
            for place, row in enumerate(answer["rows"])
        ]
        same = f"{itself['counts']['same']} of {itself['counts']['same']} decisions are the same"
        until = "its end" if first == len(answer["rows"]) else f"the first difference (line {first + 1})"
        parts.append(
            f"## Recorded under `{policy}`, decided again under `{other}`\n\n"
            f"Against `{policy}` itself {same}, in {took:.1f} s; the run took {seconds[policy]:.0f} s. A real run under "
            f"`{other}` is shown up to {until}.\n\n"
            "| batch | decision | recorded | decided again | real run |\n|---:|---|---|---|---|\n" + "\n".join(rows)
        )
    text = "\n\n".join(
        (
            "# Policies compared",
            "Written by `tests/bench/promotion/test_compare.py` (`make bench TESTS=` this file): the sample of "
            "real listings (4.5 % of each batch) through the seven real steps, once under each policy.",
            *parts,
            f"{time.strftime('%Y-%m-%d')}; {os.cpu_count()} cores, Linux {platform.release()}, Python "
            f"{platform.python_version()}; load averages at the end {' '.join(f'{load:.1f}' for load in os.getloadavg())}.",
        )
    )
    print(text)
    assert all(agreed)
    REPORT.write_text(f"{text}\n", encoding="utf-8")
