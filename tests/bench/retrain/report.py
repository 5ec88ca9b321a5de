"""The parts of docs/benchmarks/retrain.md, each written by the measurement that it tells of."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

REPORT = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "retrain.md"
HEAD = """# The retrain decision

Every number below was measured by the named command in one run. Policy `strict`.
"""


def write_part(title: str, body: str) -> None:
    """Put a part in place of the one with the same title, or at the end."""
    text = REPORT.read_text(encoding="utf-8") if REPORT.exists() else HEAD
    part = f"## {title}\n{body.strip()}\n\n{machine()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    text = pattern.sub(lambda _: part + "\n", text) if pattern.search(text) else f"{text.rstrip()}\n\n{part}"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text.rstrip() + "\n", encoding="utf-8")


def machine() -> str:
    """When and where."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, niceness {os.nice(0)}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load averages at the end {load}."
    )
