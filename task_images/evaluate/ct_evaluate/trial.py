"""Try a model where it would serve: a fresh process of this image, whose libraries are pinned like serving's."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ct_decisions.policy import PromotionPolicy
from ct_decisions.technical import ServingTrial

from ct_evaluate.probe import REPEATS, TIMED_ROWS, difference

log = logging.getLogger(__name__)

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""The child gets no address and no secret."""

_HEADROOM = 4
"""The child may take this many times the memory and the time of the policy before it is stopped: then what it needed is
still measured rather than guessed."""

_START_SECONDS = 120.0
"""For the imports of a loaded machine, which are not the model's."""


def try_serving(
    files: Path,
    policy: PromotionPolicy,
    *,
    golden: Sequence[Mapping[str, Any]],
    answers: Sequence[Sequence[float]] | None,
    replayed: Sequence[Mapping[str, Any]],
) -> ServingTrial:
    """Load the model in a process of its own and have it answer the golden and the replayed requests.

    ``answers`` are those in training to the golden requests, shape (n, 3), or None where they are not known.
    """
    requests = [*golden, *replayed]
    report = _run(files, requests, policy)
    counts: dict[str, Any] = {"requests": len(requests), "golden": len(golden), "replayed": len(replayed)}
    if "load_error" in report:
        return ServingTrial(load_error=report["load_error"], **counts)
    given = [[np.nan] * 3 if row is None else row for row in report["answers"]]
    given += [[np.nan] * 3] * (len(requests) - len(given))
    values = np.asarray(given, dtype=np.float64).reshape(-1, 3)
    price, low, high = values.T
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(values).all(axis=1) & (low > 0) & (low <= price) & (price <= high)
    parity = None
    if answers is not None:
        parity = difference(values[: len(golden)], np.asarray(answers, dtype=np.float64).reshape(-1, 3))
    failed = int(np.count_nonzero(~sound))
    log.info("%d of %d requests were answered with a sound price", len(requests) - failed, len(requests))
    return ServingTrial(
        load_seconds=report["load_seconds"],
        failed=failed,
        first_error=report["first_error"],
        latency_ms=report["latency_ms"],
        peak_megabytes=report["peak_megabytes"],
        parity=parity,
        repeatability=report["repeatability"],
        **counts,
    )


def _run(files: Path, requests: Sequence[Mapping[str, Any]], policy: PromotionPolicy) -> dict[str, Any]:
    # A model that keeps the limit is asked everything in this time.
    asking = TIMED_ROWS * REPEATS * policy.latency_ms / 1000
    longest = _START_SECONDS + _HEADROOM * (policy.load_seconds + asking)
    with tempfile.TemporaryDirectory(prefix="ct-trial-") as directory:
        task = {
            "model": str(files),
            "requests": [dict(request) for request in requests],
            "seconds": asking,
            "memory_bytes": int(_HEADROOM * policy.memory_megabytes * 1e6),
        }
        Path(directory, "requests.json").write_text(json.dumps(task), encoding="utf-8")
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "ct_evaluate.probe", directory],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=longest,
            )
        except subprocess.TimeoutExpired as late:
            return {"load_error": f"it had not loaded and answered {len(requests)} requests after {late.timeout:.0f} s"}
        report = Path(directory, "report.json")
        if not report.exists():
            words = (done.stderr.strip().splitlines() or ["it left no message"])[-1]
            return {"load_error": f"its process ended with status {done.returncode}: {words}"[:500]}
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


def other_versions(files: Path) -> list[str]:
    """The libraries of a logged model's ``requirements.txt`` that are installed here in another version or not at all."""
    requirements = files / "requirements.txt"
    if not requirements.exists():
        return []
    found = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        pinned = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", line)
        if pinned is None:
            continue
        name, wanted = pinned.groups()
        installed = _installed(name)
        if installed != wanted:
            found.append(f"{name} {wanted} ≠ {installed or '-'}")
    return found


def _installed(name: str) -> str | None:
    # The small distribution of MLflow holds the same modules and the same version.
    for candidate in (name, f"{name}-skinny") if name == "mlflow" else (name,):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return None


def megabytes(files: Path) -> float:
    """The size of all files below a directory, in MB."""
    return sum(file.stat().st_size for file in files.rglob("*") if file.is_file()) / 1e6
