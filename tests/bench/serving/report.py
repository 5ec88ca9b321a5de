"""The measurement as a page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def write(
    points: Sequence[Any],
    *,
    sizes: Mapping[str, float],
    ready: Mapping[str, float],
    found: int,
    kept: int,
    trees: int,
    seconds: float,
    rounds: int,
) -> str:
    """The page; ``found`` rows in RAW, ``kept`` answers that must be there."""
    rival = next(point for point in points if point.server.startswith("mlflow") and point.load == "32")
    durable = next(point for point in points if point.server.startswith("/predict durable, 600") and point.load == "32")
    ratio = durable.median("per_second") / rival.median("per_second")
    lines = []
    for point in points:
        each = " ".join(f"{one['per_second']:,.0f}" for one in point.each)
        lines.append(
            f"| {point.server} | {point.load} | {point.median('per_second'):,.0f} ({each}) | {point.median('p50'):.2f} | "
            f"{point.median('p99'):.2f} | {point.median('server_cpu_us'):,.0f} | {point.median('client_cpu_us'):,.0f} |"
        )
    weights = [f"| {name} | {sizes[name]:.0f} | {ready[name]:.1f} |" for name in sizes]
    table = "\n".join(lines)
    return f"""# Serving: the hot path

Written by `tests/bench/serving` (`make bench TESTS=tests/bench/serving`) on {datetime.now(UTC):%Y-%m-%d}; every number is
from that one run. One server process at a time, one worker, on this machine with the load generator and PostgreSQL.

Single properties at 32 connections, answered after their rows are committed: **{ratio:.1f} times** the requests per second of
`mlflow models serve`, which keeps nothing on record.

| server | connections | requests/s: median (each) | p50, ms | p99, ms | server CPU a request, us | client CPU, us |
|---|---|---:|---:|---:|---:|---:|
{table}

| server | resident memory after the load, MB | ready after, s |
|---|---:|---:|
{chr(10).join(weights)}

Of {kept:,} rows that were answered with a price {found:,} are in RAW, each once.

- Model: what the train step makes of 4 % of the synthetic source ({trees:,} trees: the sum of two CatBoost models), and the
  same with its first 600 trees. The rival serves the 600.
- Homes are 3,000 that no model has learnt from, in turn; a cache of prices would not help. Requests and answers are those of
  each server: `/predict` answers with interval, warnings, model and request id.
- PostgreSQL as it comes: fsync and synchronous_commit on, `shared_buffers` 128 MB. Its own CPU is not in the table.
- Load: `tests/bench/serving/load.py`, {rounds} rounds of {seconds:g} s after one second of warm-up, keep-alive, the next
  request as soon as the answer is there. It is one process of raw sockets; its own CPU a request is the last column.
- The rival's memory is of its process and those that it starts. "Ready" is from the start of the process to the first answer
  that says so, seen every 20 ms (`/health/ready`) and every 100 ms (`/ping`); modules are compiled, as in an image.
- Machine: {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}; load averages at the end
  {" ".join(f"{load:.1f}" for load in os.getloadavg())}. Compare the ratios rather than the milliseconds.
"""
