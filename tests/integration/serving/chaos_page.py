"""What came of the hardest minutes, as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from steady_clients import Answered


def write(
    answers: Sequence[Answered],
    seconds: float,
    happened: Sequence[tuple[float, str]],
    expected: Mapping[tuple[Any, ...], str | None],
    rows: Sequence[tuple[Any, ...]],
) -> str:
    """The page; ``expected`` is what the clients saw, ``rows`` what is in RAW, both as in the test."""
    waits = sorted(answer.seconds * 1e3 for answer in answers)
    statuses = Counter(answer.status for answer in answers)
    versions = Counter(version for version in expected.values() if version is not None)
    found = Counter(row[:2] for row in rows)
    lost = {row[:2] for row in expected} - set(found)
    doubled = sum(count - 1 for count in found.values())
    other_version = sum(expected.get(row[:5]) != row[5] for row in rows if row[2] == 200)
    there = len(set(expected) & {row[:5] for row in rows})
    quantiles = [f"{waits[place]:,.1f}" for place in (len(waits) // 2, len(waits) * 99 // 100, -1)]
    timeline = "\n".join(f"| {moment:.0f} | {what} |" for moment, what in happened)
    by_version = ", ".join(f"{count:,} by version {version}" for version, count in sorted(versions.items()))
    return f"""# Serving: while everything around it breaks

Written by `pytest -m bench tests/integration/serving/test_chaos.py` on {datetime.now(UTC):%Y-%m-%d}; every number is from that
one run: one API process in the durable mode with a challenger in its shadow, 24 keep-alive connections that ask at a fixed
rate whatever happens, and compare each answer with what is in RAW afterwards.

| second | what happened |
|---:|---|
{timeline}

| | |
|---|---:|
| requests in {seconds:.0f} s | {len(answers):,} ({len(answers) / seconds:.0f} a second) |
| answered with 200 | {statuses[200]:,} |
| answered with 422, as they should be | {statuses[422]:,} |
| answered with anything else, or not at all | {len(answers) - statuses[200] - statuses[422]:,} |
| rows that must be in RAW, and are there | {len(expected):,}, {there:,} |
| lost | {len(lost):,} |
| doubled | {doubled:,} |
| with another version than the one that answered | {other_version:,} |
| median, 99th percentile and longest wait for an answer, ms | {", ".join(quantiles)} |

Prices: {by_version}. The clients and both servers shared two cores with the API.
"""
