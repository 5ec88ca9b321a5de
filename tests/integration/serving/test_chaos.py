"""While everything around it breaks, the API answers every request, right, and each inference is on record once.

The full length is ``pytest -m bench tests/integration/serving/test_chaos.py``.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chaos_page
import psycopg
import pytest
from steady_clients import Answered, Clients

ROOT = Path(__file__).resolve().parents[3]
RATE = 200


@dataclass(frozen=True)
class Plan:
    """Seconds: the whole, and how long PostgreSQL is away. ``in_time``: answers may not fall behind the rate."""

    seconds: float
    outage: float
    in_time: bool


SHORT, FULL = Plan(40, 12, in_time=False), Plan(180, 60, in_time=True)


class Corrupted:
    """The artefact of a version, spoilt where MLflow keeps it."""

    def __init__(self, registry: Any, artifacts: Path, version: str) -> None:
        source = registry.client.get_model_version(registry.name, version).source
        (stored,) = set(artifacts.rglob(source.rsplit("/", 1)[1]))
        files = list(stored.rglob("model.json"))
        assert files, stored
        for file in files:
            file.write_bytes(b"\0 this is no JSON")


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(SHORT, id="short", marks=pytest.mark.integration),
        pytest.param(FULL, id="full", marks=[pytest.mark.bench, pytest.mark.timeout(1200)]),
    ],
)
def test_nothing_is_wrong_lost_or_doubled_while_everything_breaks(plan, registry, make_serving, own_postgres, mlflow_server):
    dollars = {registry.log(amount): float(amount) for amount in (100, 200, 300, 400, 500, 600)}
    first, second, third, broken, fourth, challenger = dollars
    Corrupted(registry, mlflow_server.directory / "artifacts", broken)
    registry.promote(first)
    registry.client.set_registered_model_alias(registry.name, "challenger", challenger)
    serving = make_serving(
        CT_DATABASE_URL=own_postgres.url(user="api", password="test"),
        MLFLOW_TRACKING_URI=mlflow_server.url,
        CT_MODEL_NAME=registry.name,
    )
    serving.wait_for(first)
    clients = Clients(serving.port, RATE)
    clients.start()
    began = time.monotonic()
    happened: list[tuple[float, str]] = []

    def at(share: float) -> None:
        time.sleep(max(0.0, began + share * plan.seconds - time.monotonic()))

    def say(what: str) -> None:
        happened.append((time.monotonic() - began, what))

    try:
        at(0.05)
        registry.promote(second)
        serving.wait_for(second, 60)
        say(f"version {second} is promoted and answers")
        at(0.2)
        own_postgres.stop()
        away = time.monotonic()
        say("PostgreSQL is stopped")
        registry.promote(third)
        serving.wait_for(third, 60)
        say(f"version {third} is promoted and answers")
        time.sleep(max(0.0, away + plan.outage - time.monotonic()))
        on_disk = serving.metric("ct_inference_log_spooled_rows")
        assert on_disk > 0
        own_postgres.start()
        say(f"PostgreSQL is started again; {on_disk:,.0f} rows wait on disk")
        registry.promote(broken)
        failed = 'ct_model_reload_total{result="failed",role="primary"}'
        deadline = time.monotonic() + 60
        while not serving.metric(failed):
            assert time.monotonic() < deadline, "the broken version was not tried"
            time.sleep(0.2)
        assert serving.version() == third
        say(f"version {broken}, whose artefact is spoilt, is promoted and does not load; version {third} stays")
        at(0.65)
        registry.promote(fourth)
        serving.wait_for(fourth, 60)
        say(f"version {fourth} is promoted and answers")
        at(0.75)
        assert mlflow_server.process is not None
        os.killpg(mlflow_server.process.pid, signal.SIGKILL)
        say("MLflow is killed, and does not come back")
        at(1)
    finally:
        clients.stop()
        took = time.monotonic() - began
        mlflow_server.stop()
        mlflow_server.start()
    serving.wait_for(fourth)

    assert clients.errors == []
    assert {answer.status for answer in clients.answers} == {200, 422}
    assert len(clients.answers) >= 0.95 * RATE * plan.seconds
    assert not plan.in_time or took < 1.05 * plan.seconds + 1
    expected = {row: version for answer in clients.answers for row, version in on_record(answer, dollars).items()}
    assert {first, second, third, fourth} == {version for version in expected.values() if version is not None}
    rows = settled(own_postgres.url(), len(expected))
    assert len(rows) == len(expected)
    assert {row[:5]: row[5] for row in rows if row[2] == 200} == {k: v for k, v in expected.items() if k[2] == 200}
    assert {row[:5] for row in rows} == set(expected)
    assert serving.metric("ct_inference_log_dropped_total") == 0
    assert serving.metric("ct_inference_log_spooled_rows") == 0
    in_the_shadow(own_postgres.url(), challenger, dollars, {row[0] for row in expected})
    text = chaos_page.write(clients.answers, took, happened, expected, rows)
    print(text)
    if plan.in_time:
        (ROOT / "docs" / "benchmarks" / "serving-chaos.md").write_text(text)


def on_record(answer: Answered, dollars: dict[str, float]) -> dict[tuple[Any, ...], str | None]:
    """What must be in RAW: (request id, row, HTTP status, status, price) and the version; the answer itself is checked."""
    if answer.status == 422:
        return {(answer.request_id, 0, 422, "invalid", None): None}
    version = answer.body["model"]["version"]
    assert answer.body["request_id"] == answer.request_id
    many = "instances" in answer.sent
    sent = answer.sent["instances"] if many else [answer.sent]
    given = answer.body["predictions"] if many else [answer.body]
    found: dict[tuple[Any, ...], str | None] = {}
    for number, (home, row) in enumerate(zip(sent, given, strict=True)):
        valid = home.get("bed") != -1
        assert row["price"] == (pytest.approx(home["house_size"] * dollars[version]) if valid else None)
        found[(answer.request_id, number, 200, "ok" if valid else "invalid", row["price"])] = version
    return found


def settled(url: str, count: int) -> list[tuple[Any, ...]]:
    """The rows of clients in RAW, once what waited on disk is there."""
    statement = (
        "SELECT request_id::text, row_number, http_status, status, price, model_version FROM raw.inferences "
        "WHERE role = 'primary'"
    )
    deadline = time.monotonic() + 90
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            rows = connection.execute(statement).fetchall()
            if len(rows) >= count or time.monotonic() > deadline:
                return rows
            time.sleep(0.5)


def in_the_shadow(url: str, challenger: str, dollars: dict[str, float], known: set[str]) -> None:
    """The challenger's rows: of requests that were answered, priced by it and no other."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT request_id::text, model_version, price / (input->>'house_size')::float FROM raw.inferences "
            "WHERE role = 'shadow'"
        ).fetchall()
    assert rows
    assert {row[0] for row in rows} <= known
    assert {row[1] for row in rows} == {challenger}
    assert {round(row[2]) for row in rows} == {round(dollars[challenger])}
