"""The evaluate step on 1.1 million listings in CLEAN, as a task runs it: its own environment, its own process, least rights.

``.envs/dev/bin/pytest tests/bench/promotion/test_evaluate_speed.py -m bench -s`` writes its part of
docs/benchmarks/promotion.md. BENCH_ROWS (default 1,100,000) can be set; fewer rows write nothing. The listings are drawn
with replacement from the real sample (BENCH_DATA), with new streets, brokers and 3 % of luck in price and size.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from ct_contract import TaskInput, TaskResult
from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parent))

from real_listings import DATA, ROOT, read_batches
from report import write_part

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not DATA.exists(), reason="the development data are not here: set BENCH_DATA"),
]

WHOLE = 1_100_000
ROWS = int(os.environ.get("BENCH_ROWS", WHOLE))
MOST_SECONDS = 90
MOST_MEGABYTES = 1500
REQUESTS = 10_000
TAUGHT = 60_000

COLUMNS = (
    "batch_id", "row_number", "property_key", "bucket", "split", "relisted", "brokered_by", "status", "price", "bed", "bath",
    "acre_lot", "street", "city", "state", "zip_code", "house_size", "prev_sold_date",
)  # fmt: skip


def listings(rows: int) -> pd.DataFrame:
    """Rows of CLEAN, every fifth of batch 2, the others of batch 1."""
    random = np.random.default_rng(1)
    sample = read_batches()
    frame = sample.iloc[random.integers(0, len(sample), rows)].reset_index(drop=True)
    frame["batch_id"] = np.where(np.arange(rows) % 5 == 4, 2, 1)
    frame["row_number"] = np.arange(rows)
    frame["street"] = np.arange(rows)
    frame["property_key"] = frame["street"].astype(str) + "|" + frame["zip_code"].astype(str)
    frame["bucket"] = random.integers(0, 100, rows)
    bucket = frame["bucket"]
    frame["split"] = np.select([bucket < 20, bucket < 27, bucket < 34], ["test", "validation", "calibration"], "train")
    frame["relisted"] = False
    frame["brokered_by"] = random.integers(1, 110_000, rows)
    for name in ("price", "house_size"):
        frame[name] = (frame[name] * np.exp(random.normal(0, 0.03, rows))).round()
    return frame[list(COLUMNS)]


def add_batches(owner: Any) -> None:
    """Two batches, collected and cleaned."""
    for batch in (1, 2):
        request = owner.execute(
            "INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r', 'data', 'http://s') RETURNING request_id"
        ).fetchone()[0]
        owner.execute(
            "INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, "
            "body_sha256, envelope, schema_seen, requested_at) "
            "VALUES (%s, 's', %s, 'd', %s, %s, 1, 1, %s, '{}', '{}', now())",
            (batch, batch, f"collect {batch}", request, f"{batch:064d}"),
        )
        owner.execute("INSERT INTO clean.batches VALUES (%s, 'r', '1', 1, 1, 1, 0, 0, '{}', 'x')", (batch,))


def add_rows(owner: Any, frame: pd.DataFrame) -> None:
    """Rows of CLEAN."""
    with owner.cursor().copy(f"COPY clean.listings ({', '.join(COLUMNS)}) FROM STDIN WITH (FORMAT csv)") as copy:
        for start in range(0, len(frame), 100_000):
            copy.write(frame.iloc[start : start + 100_000].to_csv(index=False, header=False))


def add_requests(owner: Any) -> None:
    """What people asked lately: homes of CLEAN."""
    owner.execute(
        "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, status, http_status, input) "
        "SELECT gen_random_uuid(), 0, now(), now(), 'ok', 200, jsonb_build_object('house_size', house_size, 'bed', bed, "
        "'zip_code', zip_code, 'state', state, 'city', city, 'status', status, 'bath', bath, 'acre_lot', acre_lot) "
        "FROM clean.listings ORDER BY property_key LIMIT %s",
        (REQUESTS,),
    )


def train(owner: Any, environment: dict[str, str], batch: int) -> str:
    """Register a model of the real train step on what CLEAN holds up to a batch."""
    decision = owner.execute(
        "INSERT INTO audit.decisions (dag_id, run_id, kind, batch_id, outcome, code, policy_name, policy_version, "
        "policy_digest) VALUES ('d', %s, 'retrain', %s, 'train', 'TRAIN_VOLUME', 'strict', '1', 'x') RETURNING decision_id",
        (f"train {batch}", batch),
    ).fetchone()[0]
    inputs = {"batch_id": batch, "retrain_decision_id": str(decision)}
    payload = TaskInput(task="train", dag_id="d", run_id=f"train {batch}", inputs=inputs)
    return str(run("train", payload, environment)[0].summary["model_version"])


def run(task: str, payload: TaskInput, environment: dict[str, str]) -> tuple[TaskResult, float, float, float]:
    """A step in its own environment: result, wall seconds, CPU seconds of it and its children, peak RSS in MB.

    The peak is the kernel's high-water mark of the largest of its processes.
    """
    python = ROOT / ".envs" / task / "bin" / "python"
    path = Path(environment["SCRATCH"], f"{task}-{payload.run_id}.json")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        [str(python), "-m", f"ct_{task}"],
        env={**{"PATH": os.environ["PATH"]}, **environment, "CT_INPUT": payload.to_json(), "CT_RESULT_PATH": str(path)},
    )
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.02)
    assert process.wait() == 0
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return TaskResult.from_json(path.read_text()), seconds, cpu, peak * 1.024 / 1000


def test_a_million_listings_are_evaluated_in_90_seconds_and_one_and_a_half_gigabytes(
    database_url: str, pipeline_url: str, tracking_uri: str, tmp_path: Path
) -> None:
    environment = {
        "CT_DATABASE_URL": pipeline_url, "MLFLOW_TRACKING_URI": tracking_uri, "CT_MODEL_NAME": "speed",
        "CT_EXPERIMENT": "speed", "CT_CODE_VERSION": "bench", "SCRATCH": str(tmp_path), "HOME": str(tmp_path),
    }  # fmt: skip
    frame = listings(ROWS)
    with psycopg.connect(database_url, autocommit=True) as owner:
        add_batches(owner)
        # Two models taught by few rows cost what two taught by all would when they are asked.
        add_rows(owner, frame[:TAUGHT])
        champion, challenger = (train(owner, environment, batch) for batch in (1, 2))
        add_rows(owner, frame[TAUGHT:])
        add_requests(owner)
        owner.execute("ANALYZE")
    MlflowClient(tracking_uri).set_registered_model_alias("speed", "production", champion)
    payload = TaskInput(task="evaluate", dag_id="d", run_id="e", inputs={"batch_id": 2, "model_version": challenger})
    result, seconds, cpu, peak = run("evaluate", payload, environment)
    with psycopg.connect(database_url) as owner:
        (counted,) = owner.execute("SELECT max(row_count) FROM audit.evaluations").fetchone()
        gates = dict(owner.execute("SELECT name, value FROM audit.gates ORDER BY position").fetchall())
    assert counted == int((frame["split"] == "test").sum())
    assert gates["slices"] is not None
    assert gates["blast_radius"] is not None
    measured = ("load_seconds", "artifact_size", "latency", "memory", "parity")
    infrastructure = ", ".join(f"{name} {gates[name]:.3g}" for name in measured)
    load = os.getloadavg()
    text = f"""{ROWS:,} listings in CLEAN, {counted:,} of them hold-out rows; two models of the real train step
(taught by {TAUGHT:,} of the rows), {REQUESTS:,} recent requests; `python -m ct_evaluate` in its own environment,
all {len(gates)} gates.

| wall, s | CPU, s (the trial's process included) | peak RSS, MB |
|---:|---:|---:|
| {seconds:.1f} | {cpu:.1f} | {peak:.0f} |

The trial measured: {infrastructure} (seconds, MB, ms, MB, relative). Decision: {result.code}.

{time.strftime("%Y-%m-%d")}; {os.cpu_count()} cores shared with other work, the bench at the lowest priority; load averages at
the end {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}. The peak is the kernel's high-water mark of the step's own process."""
    print(text)
    if ROWS >= WHOLE:
        write_part("Speed: the evaluate step on 1.1 million listings", text)
    assert peak < MOST_MEGABYTES
    assert cpu < MOST_SECONDS  # one core, so that two have it done in time
