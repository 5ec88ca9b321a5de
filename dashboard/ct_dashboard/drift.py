"""What has changed in the data, batch by batch, from the signals of the retrain decisions. Pure functions of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ct_dashboard.data import History, Run

MEASURES = ("psi", "wasserstein")
UNSEEN = ("unseen_zip3", "unseen_state", "unseen_status")
MOST_BATCHES = 30
"""Batches that a chart shows: the newest. More would be too narrow to read."""


@dataclass(frozen=True)
class Measured:
    """One signal of one batch; ``feature`` is None for those of no column."""

    batch: str
    feature: str | None
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    watch: float | None
    verdict: str


def batch_name(run: Run, streams: int) -> str:
    """The batch's number, with its stream where there are several."""
    number = str(run.line["batch_number"])
    return number if streams < 2 else f"{run.line['stream']} · {number}"


def measured_batches(history: History) -> list[Run]:
    """The newest batches with signals, oldest first."""
    runs = [run for run in history.batches if run.retrain is not None and run.retrain["signals"]]
    return list(reversed(runs[:MOST_BATCHES]))


def signals(history: History, name: str) -> list[Measured]:
    """A signal of every batch that has it, oldest batch first."""
    runs = measured_batches(history)
    streams = len({run.line["stream"] for run in runs})
    return [
        Measured(
            batch=batch_name(run, streams),
            feature=line["feature"],
            value=line["value"],
            low=line["ci_low"],
            high=line["ci_high"],
            threshold=line["threshold"],
            watch=(line["note"] or {}).get("watch"),
            verdict=line["verdict"],
        )
        for run in runs
        for line in (run.retrain or {"signals": ()})["signals"]
        if line["name"] == name
    ]


def features(found: Sequence[Measured]) -> list[str]:
    """The columns that were compared, those with the largest change first."""
    largest: dict[str, float] = {}
    for cell in found:
        if cell.feature is not None:
            largest[cell.feature] = max(largest.get(cell.feature, -1.0), cell.value if cell.value is not None else -1.0)
    return sorted(largest, key=lambda name: -largest[name])


def alarms(found: Sequence[Measured]) -> list[Measured]:
    """Those that are watched or asked for a training, the gravest first."""
    order = {"fire": 0, "watch": 1}
    return sorted((cell for cell in found if cell.verdict in order), key=lambda cell: order[cell.verdict])
