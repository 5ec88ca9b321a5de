"""docs/benchmarks/promotion.md, written part by part: each measurement replaces its own and leaves the others."""

from __future__ import annotations

import re
from pathlib import Path

REPORT = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "promotion.md"
HEAD = """# Promotion

Written by `tests/bench/promotion` (`make bench TESTS=tests/bench/promotion`); each part names its date and machine, and every
number in it is from one run.
"""


def write_part(title: str, text: str) -> None:
    """Write or replace the part with this title."""
    old = REPORT.read_text(encoding="utf-8") if REPORT.exists() else HEAD
    head, *parts = re.split(r"^## ", old, flags=re.MULTILINE)
    kept = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in parts}
    kept[title] = text.strip()
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(head.rstrip() + "\n" + "".join(f"\n## {name}\n{kept[name]}\n" for name in kept), encoding="utf-8")
