"""A history as the pipeline writes it, and the real API with a model that asks 200 dollars a square foot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import psycopg
import uvicorn
from ct_evaluate.diagnostics import diagnose, record_diagnostics
from ct_serving.app import create_app
from ct_serving.model_holder import LoadedModel
from ct_serving.registry import ModelVersion
from ct_serving.settings import Settings
from ct_store import ledger
from ct_store.connection import connect
from house_prices.scoring import Scored
from psycopg.types.json import Jsonb

POLICY = {"name": "strict", "version": "1", "digest": "d"}
START = datetime(2026, 11, 23, 10, tzinfo=UTC)

ERROR_RATIO = {"name": "error_ratio", "value": 1.27, "ci_low": 1.22, "ci_high": 1.31, "threshold": 1.1, "verdict": "fire"}
NEW_STATE = {"name": "unseen_state", "value": 0.4, "threshold": 0.05, "verdict": "fire", "note": {"values": ["Hawaii"]}}
PSI = [{"name": "psi", "feature": feature, "value": value, "threshold": 0.25, "verdict": verdict, "note": {"watch": 0.1}}
       for feature, value, verdict in (("price", 0.61, "fire"), ("bath", 0.12, "watch"), ("bed", 0.01, "ok"))]  # fmt: skip
SLICES = {
    "name": "slices", "code": "REJECT_SLICE", "value": -0.02, "ci_low": -0.05, "threshold": 0.02, "verdict": "pass",
    "note": {"judged": 2, "slices": [
        {"dimension": "state", "value": "Hawaii", "rows": 90, "areas": 9, "change": -0.2, "standard_error": 0.02},
        {"dimension": "area", "value": "new", "rows": 40, "areas": 4, "change": 0.3, "standard_error": 0.05},
        {"dimension": "prediction", "value": "5", "rows": 80, "areas": 8, "change": 0.01, "standard_error": 0.05}]},
}  # fmt: skip
EXPECTATIONS = [
    {"expectation": "expect_table_row_count_to_be_between", "column": None, "severity": "critical", "success": True,
     "arguments": {"min_value": 500}, "observed": 1000},
    {"expectation": "expect_column_values_to_be_between", "column": "bed", "severity": "warning", "success": False,
     "arguments": {"min_value": 0, "max_value": 20, "mostly": 0.99}, "share": 0.02, "rows": 20, "examples": [99, 47]},
]  # fmt: skip
VOLUME = {"name": "volume", "value": 0.02, "threshold": 0.5, "verdict": "ok"}
LEAKAGE = {"name": "leakage", "code": "REJECT_LEAKAGE", "value": 0, "threshold": 0, "verdict": "pass"}


def superiority(value: float, low: float, high: float, verdict: str) -> dict[str, Any]:
    return {
        "name": "superiority", "code": "REJECT_NOT_BETTER", "value": value, "ci_low": low, "ci_high": high,
        "threshold": -0.01, "verdict": verdict,
    }  # fmt: skip


def errors(seed: int, rows: int) -> Scored:
    """Answers that are off by some 20 %, with intervals that hold."""
    generator = np.random.default_rng(seed)
    price = np.exp(generator.normal(12.6, 0.6, rows))
    answer = price * np.exp(generator.normal(0, 0.2, rows))
    answers = pd.DataFrame({"price": answer, "price_low": answer * 0.72, "price_high": answer * 1.4})
    return Scored(price, answers)


class Pipeline:
    """Writes what the steps would write."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.next = 0

    def batch(self, rows: int = 1000, *, accepted: bool = True) -> tuple[str, int]:
        """A batch in RAW and CLEAN with its validation; returns run and batch id."""
        number, self.next = self.next, self.next + 1
        run, stored = f"run-{number}", START + timedelta(hours=number)
        with psycopg.connect(self.url) as connection:
            (request,) = connection.execute(
                "INSERT INTO raw.requests (stream, run_id, kind, url, outcome) VALUES ('group 9', %s, 'data', 'u', 'stored') "
                "RETURNING request_id", (run,),
            ).fetchone()  # fmt: skip
            (batch,) = connection.execute(
                "INSERT INTO raw.batches (stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, "
                "body_sha256, envelope, schema_seen, requested_at, stored_at) "
                "VALUES ('group 9', %s, 'houses', %s, %s, %s, 1, 'x', '{}', '{}', %s, %s) RETURNING batch_id",
                (number, run, request, rows, stored, stored),
            ).fetchone()
            connection.execute(
                "INSERT INTO audit.validations (batch_id, run_id, suite_name, suite_version, accepted, expectations, "
                "schema_changes, new_categories, report_html) VALUES (%s, %s, 's', '1', %s, %s, %s, %s, '<h1>ok</h1>')",
                (
                    batch,
                    run,
                    accepted,
                    Jsonb(EXPECTATIONS),
                    Jsonb([{"column": "patio", "change": "new", "rows": 7, "detail": "d"}]),
                    Jsonb({"state": {"values": ["Hawaii"], "count": 1, "share": 0.4}}),
                ),
            )
            if not accepted:
                return run, batch
            connection.execute(
                "INSERT INTO clean.batches (batch_id, run_id, rules_version, rows_in, rows_accepted, rows_new, rows_relisted, "
                "rows_quarantined, rows_by_split, digest) VALUES (%s, %s, '1', %s, %s, %s, 0, 10, '{}', 'd')",
                (batch, run, rows, rows - 10, rows - 10),
            )
        return run, batch

    def places(self, batch: int, places: list[tuple[str, str | None, str]]) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO clean.listings (batch_id, row_number, property_key, bucket, split, relisted, status, price, "
                "street, city, state, zip_code) VALUES (%s, %s, %s, 50, 'train', false, 'sold', 1, %s, %s, %s, %s)",
                [(batch, i, f"{i}|{code}", i, city, state, code) for i, (state, city, code) in enumerate(places, start=1)],
            )

    def decide(self, run: str, batch: int | None, kind: str, outcome: str, code: str, **evidence: Any) -> None:
        with connect("test", self.url) as connection:
            decision = ledger.record_decision(
                connection, dag_id="houses", run_id=run, kind=kind, outcome=outcome, code=code, batch_id=batch,
                policy=POLICY, **evidence,
            )  # fmt: skip
            if kind == "promotion":
                roles = {"champion": evidence.get("champion_version"), "challenger": evidence["challenger_version"]}
                scored = {role: (version, errors(seed, 2000)) for seed, (role, version) in enumerate(roles.items()) if version}
                record_diagnostics(connection, decision, diagnose(scored, np.ones(2000, dtype=bool)))
                ledger.record_event(
                    connection, dag_id="houses", run_id=run, model_name="house-prices", event="registered",
                    model_version=evidence["challenger_version"],
                    details={"mlflow_run_id": f"mlflow-{evidence['challenger_version']}", "learner": "catboost"},
                )  # fmt: skip

    def quarantine(self, batch: int, rules: dict[str, str]) -> None:
        """A row for each rule with what was found there, and the row as it was delivered."""
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for number, (rule, found) in enumerate(rules.items(), start=900):
                cursor.execute("INSERT INTO clean.quarantine VALUES (%s, %s, %s, %s)", (batch, number, rule, found))
                cursor.execute(
                    "INSERT INTO raw.listings (batch_id, row_number, status, price, bed) VALUES (%s, %s, 'sold', 5, 99)",
                    (batch, number),
                )

    def asked(self, count: int, *, status: str = "ok", http_status: int = 200, hours_ago: float = 1) -> list[str]:
        """Answers of the API, half an hour's worth of 20 ms each; their request ids."""
        ids = [str(uuid4()) for _ in range(count)]
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for number, request in enumerate(ids):
                at = datetime.now(UTC) - timedelta(hours=hours_ago, seconds=number)
                price = 200_000 + 1000 * number if status == "ok" else None
                cursor.execute(
                    "INSERT INTO raw.inferences (request_id, row_number, received_at, answered_at, model_version, status, "
                    "http_status, price, price_low, price_high) VALUES (%s, 0, %s, %s, '2', %s, %s, %s, %s, %s)",
                    (request, at, at + timedelta(milliseconds=20), status, http_status, price,
                     price and price * 0.8, price and price * 1.25),
                )  # fmt: skip
        return ids

    def told(self, request: str, price: float) -> None:
        """A real price."""
        with psycopg.connect(self.url) as connection:
            connection.execute("INSERT INTO raw.feedback (request_id, actual_price) VALUES (%s, %s)", (request, price))

    def event(self, run: str, version: str, event: str) -> None:
        """A line of the ledger about a version, with the run's last decision about it, as promote writes it."""
        with connect("test", self.url) as connection:
            kinds = ("rollback", "approval", "promotion")
            made = (ledger.find_decision(connection, dag_id="houses", run_id=run, kind=kind) for kind in kinds)
            ledger.record_event(
                connection, dag_id="houses", run_id=run, model_name="house-prices", model_version=version, event=event,
                decision_id=next((decision["decision_id"] for decision in made if decision), None),
            )  # fmt: skip

    def first(self) -> None:
        """Batch 0: the first model, promoted."""
        run, batch = self.batch()
        self.places(batch, [("Puerto Rico", "Adjuntas", "00601"), ("Puerto Rico", "Aguada", "00602"),
                            ("Puerto Rico", None, "00603"), ("Hawaii", "Hilo", "96720")])  # fmt: skip
        self.decide(run, batch, "retrain", "train", "TRAIN_BOOTSTRAP", facts={"batch_number": 0})
        self.decide(run, batch, "promotion", "promote", "PROMOTE_FIRST_MODEL", challenger_version="1", gates=[LEAKAGE])
        self.event(run, "1", "promoted")

    def all(self) -> None:
        """Four runs: first model, a promotion, a rejection, and the end of the data."""
        self.first()
        run, batch = self.batch(2000)
        self.decide(run, batch, "retrain", "train", "TRAIN_PERFORMANCE_DEGRADED", champion_version="1",
                    facts={"batch_number": 1, "fired": ["error_ratio", "unseen_state"]},
                    signals=[ERROR_RATIO, NEW_STATE, VOLUME, *PSI])  # fmt: skip
        self.decide(run, batch, "promotion", "promote", "PROMOTE_BETTER", champion_version="1", challenger_version="2",
                    gates=[LEAKAGE, superiority(-0.12, -0.15, -0.09, "pass"), SLICES])  # fmt: skip
        self.event(run, "2", "promoted")
        run, batch = self.batch(40)
        self.decide(run, batch, "retrain", "train", "TRAIN_NEW_CATEGORIES", champion_version="2",
                    facts={"batch_number": 2, "fired": ["unseen_state"]}, signals=[NEW_STATE])  # fmt: skip
        self.decide(run, batch, "promotion", "reject", "REJECT_NOT_BETTER", champion_version="2", challenger_version="3",
                    facts={"failed": ["superiority"]}, gates=[LEAKAGE, superiority(-0.004, -0.02, 0.011, "fail")])  # fmt: skip
        self.event(run, "3", "rejected")
        self.decide("run-end", None, "intake", "skip", "SKIP_END_OF_DATA", facts={"stream": "group 9"})


class OneModel:
    """A registry whose alias names one version, or none."""

    def __init__(self, version: str | None) -> None:
        self._version = version

    def version(self) -> ModelVersion | None:
        return None if self._version is None else ModelVersion("house-prices", self._version, "production", "r", {}, "")

    def load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel("house-prices", version.version, "production", "r", self, datetime.now(UTC))

    def contributions(self, data: pd.DataFrame) -> pd.DataFrame:
        """All of the price is the size's, over a base of 100,000 dollars."""
        base = np.full(len(data), np.log(100_000))
        return pd.DataFrame({"house_size": np.log(self.predict(data)["price"]) - base, "bed": 0.0 * base, "base": base})

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        price = data["house_size"].fillna(1000) * 200
        return pd.DataFrame({"price": price, "price_low": price * 0.8, "price_high": price * 1.25})


@contextmanager
def serve(version: str | None, port: int, spool: Path, **more: Any) -> Iterator[str]:
    """The real API on a port, and its address; the version is None for one without a model."""
    app = create_app(Settings(spool_directory=spool, reload_seconds=0.1, **more), OneModel(version))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not (server.started and (version is None or app.state.service.holder.current)):
        assert time.monotonic() < deadline, "the API did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(15)
