"""The same stream by the process runner's way: every step in its own environment on this machine, on services of its own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

PIPELINE = Path(__file__).resolve().parents[2] / "integration" / "pipeline"


def load(name: str) -> ModuleType:
    """A module of the one-machine pipeline test."""
    spec = importlib.util.spec_from_file_location(f"cluster_{name}", PIPELINE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


services = load("conftest")
final_state = load("final_state")


def run_stream(world: Any, directory: Path, batches: int) -> None:
    """Take batches through every step that their decisions ask for, as the DAG does."""
    source = {"source_url": world.source_url, "group_number": 1, "day": "Tuesday"}
    for number in range(batches):

        def step(task: str, inputs: dict[str, Any], run_id: str = f"batch-{number}") -> dict[str, Any]:
            status, result = services.Step(world, task, run_id, inputs, directory).finish()
            assert status == 0, result
            summary: dict[str, Any] = result["summary"]
            return summary

        batch = {"batch_id": step("collect", source)["batch_id"]}
        step("validate", batch)
        step("clean", batch)
        retrain = step("assess", batch)
        if retrain["decision"] != "train":
            continue
        trained = step("train", {**batch, "retrain_decision_id": retrain["decision_id"]})
        verdict = step("evaluate", {**batch, "model_version": trained["model_version"]})
        carried_out = {"action": verdict["decision"], "decision_id": verdict["decision_id"]}
        step("promote", {**batch, **carried_out, "model_version": trained["model_version"]})


@contextmanager
def data_source(directory: Path, scale: str) -> Iterator[str]:
    """The replica of the data API on this machine."""
    yield from services.serve_source(directory, scale)
