"""How answers are written: exit statuses, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

ANSWERED = 0
NO_ANSWER = 2
DIFFERENT = 10
"""Another number than Python's own 1, which is a failure."""


def table(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Lines of columns as wide as their widest cell; no row is longer than its last cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [(indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip() for row in rows]


def as_json(value: Any) -> str:
    """JSON for programs; what it does not know (times, ids) as text."""
    return json.dumps(value, default=str, ensure_ascii=False, indent=1)
