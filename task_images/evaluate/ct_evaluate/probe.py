"""The child process of a serving trial: ``python -m ct_evaluate.probe DIRECTORY``.

It loads the model from its files as serving does, in an interpreter that knows nothing else, answers the requests of
``requests.json`` and writes what it measured to ``report.json``. The limits come from ``requests.json`` too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Answers = npt.NDArray[np.float64]

OUTPUTS = ("price", "price_low", "price_high")
TIMED_ROWS = 100
"""So many requests, evenly spread, are asked one by one."""
REPEATS = 3
"""One row is asked so often and its best time counts: what other programs on the machine do is not the model's fault."""


def main(directory: Path) -> None:
    """Run the trial; every outcome, also a failure, is in the report."""
    task: dict[str, Any] = json.loads((directory / "requests.json").read_text(encoding="utf-8"))
    limit = int(task["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    import mlflow.pyfunc
    from house_prices.requests import request_frame

    report: dict[str, Any] = {}
    began = time.perf_counter()
    try:
        model = mlflow.pyfunc.load_model(task["model"])
    except Exception as error:
        report["load_error"] = f"{type(error).__name__}: {error}"[:500]
    else:
        report["load_seconds"] = time.perf_counter() - began
        report |= answer(model, request_frame(task["requests"]), float(task["seconds"]))
    report["peak_megabytes"] = peak_megabytes()
    (directory / "report.json").write_text(json.dumps(report), encoding="utf-8")


def peak_megabytes() -> float:
    """The most memory that this process has held, in 10^6 bytes.

    Not ``getrusage``: Linux carries its mark across exec, so a child would report what the parent held at the fork.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6


def answer(model: Any, frame: Any, seconds: float) -> dict[str, Any]:
    """Ask everything together, twice, then some rows one by one, ``REPEATS`` times each, until ``seconds`` are over.

    ``answers`` are lists of three numbers, None for a request that the model raises at.
    """
    errors: list[str] = []
    together, again = _ask(model, frame, errors), _ask(model, frame, errors)
    count = min(len(frame), TIMED_ROWS)
    positions = np.unique(np.linspace(0, max(len(frame) - 1, 0), count).astype(np.intp))
    single: dict[int, Answers | None] = {}
    latency: list[float] = []
    deadline = time.perf_counter() + seconds
    for position in positions:
        row, times = frame.iloc[[position]], []
        for _ in range(REPEATS):
            began = time.perf_counter()
            single[int(position)] = _ask(model, row, errors)
            times.append(time.perf_counter() - began)
        latency.append(min(times) * 1000)
        if time.perf_counter() > deadline:
            break
    if together is None:
        answers = [single[n] if n in single else _ask(model, frame.iloc[[n]], errors) for n in range(len(frame))]
    else:
        answers = list(together[:, None])
    return {
        "answers": [None if row is None else row[0].tolist() for row in answers],
        "repeatability": _repeatability(together, again, single),
        "first_error": errors[0][:500] if errors else None,
        "latency_ms": float(np.quantile(latency, 0.95)) if latency else None,
    }


def _ask(model: Any, frame: Any, errors: list[str]) -> Answers | None:
    """The answers to (n) rows, shape (n, 3); None and a line in ``errors`` if the model raises or answers no table."""
    try:
        answered = model.predict(frame)
        values = np.column_stack([np.asarray(answered[name], dtype=np.float64) for name in OUTPUTS])
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
        return None
    if len(values) != len(frame):
        errors.append(f"{len(values)} answers to {len(frame)} requests")
        return None
    return values


def difference(ours: Answers, theirs: Answers) -> float:
    """The largest relative difference of answers of one shape; 1 where only one of them is finite."""
    if ours.size == 0:
        return 0.0
    one, other = np.isfinite(ours), np.isfinite(theirs)
    both = one & other
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-12)
    return float(np.max(np.where(both, relative, (one != other).astype(np.float64))))


def _repeatability(together: Answers | None, again: Answers | None, single: dict[int, Answers | None]) -> float:
    """The largest relative difference between asking twice, and between asking together and one by one."""
    if together is None or again is None:
        return 0.0 if together is again else 1.0
    differences = [difference(together, again)]
    for position, row in single.items():
        differences.append(1.0 if row is None else difference(row[0], together[position]))
    return max(differences)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
