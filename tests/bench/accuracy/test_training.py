"""One training on the sizes of the whole class API: the real step in its own environment, its time, memory and model.

``.envs/dev/bin/pytest tests/bench/accuracy/test_training.py -s -m bench`` writes docs/benchmarks/training.md.
TRAINING_ROWS (default 1,084,909; fewer rows write no document) and ACCURACY_LISTINGS can be set.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest
from ct_contract import TaskInput, TaskResult
from ct_store.ledger import record_decision

sys.path.insert(0, str(Path(__file__).parent))

from market import LISTINGS, ROOT, read_market

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7200)]

WHOLE = 1_084_909
ROWS = int(os.environ.get("TRAINING_ROWS", WHOLE))
MOST_SECONDS, MOST_GIGABYTES, MOST_MEGABYTES = 300, 3.0, 10.0


def upsample(market: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Rows of CLEAN: drawn from real listings with 1 % of noise, each of a home of its own; as many places and brokers as real.

    Prices mean nothing: it is the size that is like the real one.
    """
    random = np.random.default_rng(0)
    frame = market[market["price"] >= 10_000].sample(rows, replace=True, random_state=0).reset_index(drop=True)
    number = pd.Series(np.arange(1, rows + 1))
    zip_code = (frame["zip_code"].astype(int) + random.integers(0, 3, rows)).clip(upper=99_999).map("{:05d}".format)
    bucket = random.integers(0, 100, rows)
    return pd.DataFrame(
        {
            "batch_id": 1, "row_number": number, "property_key": number.astype(str) + "|" + zip_code, "bucket": bucket,
            "split": np.select([bucket < 20, bucket < 27, bucket < 34], ["test", "validation", "calibration"], "train"),
            "relisted": False, "brokered_by": random.integers(0, 110_000, rows), "status": frame["status"],
            "price": (frame["price"] * np.exp(random.normal(0, 0.01, rows))).round(), "bed": frame["bed"],
            "bath": frame["bath"], "acre_lot": frame["acre_lot"].where(frame["acre_lot"] <= 10_000), "street": number,
            "city": frame["city"] + random.choice(["", " Heights"], rows), "state": frame["state"], "zip_code": zip_code,
            "house_size": (frame["house_size"] * np.exp(random.normal(0, 0.01, rows))).round(),
            "prev_sold_date": frame["prev_sold_date"],
        }
    )  # fmt: skip


def fill_clean(owner: psycopg.Connection, frame: pd.DataFrame) -> str:
    """The frame as the only batch of CLEAN, and the decision to train on it; its id."""
    owner.execute(
        "INSERT INTO raw.requests (request_id, stream, run_id, kind, url) OVERRIDING SYSTEM VALUE "
        "VALUES (1, 's', 'r', 'data', 'u')"
    )
    owner.execute(
        "INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, "
        "body_sha256, envelope, schema_seen, requested_at) "
        "VALUES (1, 's', 0, 'd', 'r', 1, %s, 1, %s, '{}', '{}', now())",
        (len(frame), "0" * 64),
    )
    owner.execute("INSERT INTO clean.batches VALUES (1, 'r', '1', %s, %s, %s, 0, 0, '{}', 'd')", (len(frame),) * 3)
    whole = dict.fromkeys(("bed", "bath"), "Int64")
    text = io.StringIO()
    frame.astype(whole).to_csv(text, index=False, header=False)
    with owner.cursor().copy("COPY clean.listings FROM STDIN (FORMAT csv)") as copy:
        copy.write(text.getvalue())
    decision = record_decision(
        owner, dag_id="d", run_id="r", kind="retrain", outcome="train", code="TRAIN_BOOTSTRAP", batch_id=1,
        policy={"name": "strict", "version": "1", "digest": "0" * 64}, facts={"fired": []},
    )  # fmt: skip
    return str(decision)


@dataclass(frozen=True)
class Measured:
    """Seconds on the clock and on the processors, and the peak RSS in GB, of one process."""

    seconds: float
    processor: float
    gigabytes: float


def run_step(payload: TaskInput, environ: dict[str, str], directory: Path) -> tuple[TaskResult, Measured]:
    """``python -m ct_train`` in its own environment. The peak is the kernel's own mark (VmHWM), read until the process ends."""
    python = ROOT / ".envs" / "train" / "bin" / "python"
    result = directory / "result.json"
    environ = {**environ, "CT_INPUT": payload.to_json(), "CT_RESULT_PATH": str(result), "PATH": os.environ["PATH"]}
    began, peak = time.perf_counter(), 0
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([str(python), "-m", "ct_train"], env=environ, stdout=log, stderr=log)
        while True:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                status = ""
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
            ended, code, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0, (directory / "log").read_text()[-3000:]
    measured = Measured(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, peak / 1e6)
    return TaskResult.from_json(result.read_text()), measured


def test_a_training_on_all_batches(database_url, pipeline_url, tracking_uri, tmp_path, monkeypatch):
    if not LISTINGS.exists():
        pytest.skip(f"no listings: set ACCURACY_LISTINGS ({LISTINGS.name} is not in its default place)")
    frame = upsample(read_market(), ROWS)
    learnt = int((frame["split"] == "train").sum())
    places = {name: frame[name].nunique() for name in ("zip_code", "city", "brokered_by")}
    with psycopg.connect(database_url, autocommit=True, row_factory=psycopg.rows.dict_row) as owner:
        decision = fill_clean(owner, frame)
    del frame
    payload = TaskInput(task="train", dag_id="d", run_id="r", inputs={"batch_id": 1, "retrain_decision_id": decision})
    environ = {"CT_DATABASE_URL": pipeline_url, "MLFLOW_TRACKING_URI": tracking_uri, "CT_MODEL_NAME": "bench"}
    result, measured = run_step(payload, environ, tmp_path)
    print((tmp_path / "log").read_text()[-2000:])
    print(measured)

    import mlflow
    from mlflow.artifacts import download_artifacts

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    mlflow.set_tracking_uri(tracking_uri)
    local = Path(download_artifacts(f"models:/bench/{result.summary['model_version']}", dst_path=str(tmp_path / "model")))
    sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(local.rglob("*")) if path.is_file()}
    megabytes = sum(sizes.values())
    largest = ", ".join(f"{name} {size:.2f}" for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:4])
    settings = json.loads(next(local.rglob("model.json")).read_text())
    print(sizes)
    if ROWS == WHOLE:
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        (ROOT / "docs" / "benchmarks" / "training.md").write_text(
            f"""# Training on the sizes of the whole class API

Written by `tests/bench/accuracy/test_training.py` on {time.strftime("%Y-%m-%d")}; every number is from that one run.

{ROWS:,} rows of CLEAN, {learnt:,} of them to learn from, drawn from a sample of real listings with 1 % of noise:
{places["zip_code"]:,} zip codes, {places["city"]:,} city names, {places["brokered_by"]:,} brokers. `python -m ct_train` ran as
a task does: its own process and environment, a real PostgreSQL and a real MLflow, from reading the rows to the registered
version with its report.

| | measured | goal |
|---|---:|---:|
| wall clock, s | {measured.seconds:.0f} | {MOST_SECONDS} |
| of the processors, s | {measured.processor:.0f} | {2 * MOST_SECONDS} on two cores |
| peak RSS (VmHWM), GB | {measured.gigabytes:.2f} | {MOST_GIGABYTES:.0f} |
| the logged model, all files, MB | {megabytes:.1f} | {MOST_MEGABYTES:.0f} |

Learner: {settings["learner"]}. Largest files, MB: {largest}. The accuracy of this model means nothing: its homes are copies.

Machine: {os.cpu_count()} cores, niceness {os.nice(0)}, Linux {platform.release()}, Python {platform.python_version()}; load
averages at the end {load}. Where other work ran beside it the processors' seconds say more than the clock's.
"""
        )
    assert measured.gigabytes < MOST_GIGABYTES
    assert megabytes < MOST_MEGABYTES
    assert measured.processor < 2 * MOST_SECONDS
