"""Running the built tools."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / ".tools"


def run_tool(name: str, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a built tool; skips without it."""
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not built: make tools (needs Go)")
    return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)
