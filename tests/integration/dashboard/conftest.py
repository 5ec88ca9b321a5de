"""A database with a history, and the real API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "local"))

from postgres import free_port
from written import Pipeline, serve


@pytest.fixture
def pipeline(database_url: str) -> Pipeline:
    return Pipeline(database_url)


@pytest.fixture
def start_api(tmp_path: Path) -> Iterator[Any]:
    """Start the real API and return its address; the version is None for one without a model."""
    with ExitStack() as running:

        def start(version: str | None, **more: Any) -> str:
            port = free_port()
            return running.enter_context(serve(version, port, tmp_path / f"spool-{port}", **more))

        yield start
