"""The services of a stream, as the tests of the pipeline have them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PIPELINE = Path(__file__).resolve().parents[1] / "pipeline"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"scratch_{name}", PIPELINE / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


services = _load("conftest")
final_state = _load("final_state")
source_url = services.source_url
new_world = services.new_world
