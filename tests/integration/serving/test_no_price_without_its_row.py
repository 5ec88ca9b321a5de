"""What a hostile client, a database that hangs or a damaged disk does to the promise that a price is on record."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pandas as pd
import psycopg
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3] / "local")]

from apps import client_of  # noqa: E402
from postgres import free_port  # noqa: E402
from relay import Relay  # noqa: E402
from waiting import wait_until  # noqa: E402

pytestmark = pytest.mark.integration

HOUSE = {"state": "Puerto Rico", "zip_code": "00601", "house_size": 920}


class BySize:
    """100 dollars a square foot."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        price = data["house_size"].fillna(1000) * 100
        return pd.DataFrame({"price": price, "price_low": price / 2, "price_high": price * 2})


def settings(directory: Path, **changes: Any) -> Any:
    from ct_serving.settings import Settings

    return Settings(**{"spool_directory": directory / "spool", "reload_seconds": 0.1, **changes})


def rows_of(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT request_id::text, row_number, http_status, price, input FROM raw.inferences "
            "ORDER BY received_at, row_number"
        ).fetchall()


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("body", "status"),
    [
        # PostgreSQL's numbers have fewer digits than JSON's.
        ('{"house_size": 920, "bed": 1e-20000}', 200),
        ('{"house_size": 920, "bed": 0.0E-99999}', 200),
        ('{"instances": [{"house_size": 920, "bed": 1e-20000}]}', 200),
        (f'{{"house_size": 920, "more": {nested(100)}}}', 200),
        # What can be read and not be written again.
        (f'{{"house_size": 920, "more": {nested(300)}}}', 422),
        (f'{{"instances": [{{"house_size": 920}}, {{"house_size": 920, "more": {nested(300)}}}]}}', 422),
        (f'{{"house_size": 920, "bed": {nested(990)}}}', 422),
        (nested(500), 422),
    ],
    ids=["tiny", "zero", "tiny in a list", "nested", "nested too deep", "the same in a list", "a field", "no object"],
)
def test_whatever_is_sent_a_price_has_its_row(tmp_path, serving_url, database_url, body, status):
    with client_of(settings(tmp_path, database_url=serving_url), BySize()) as client:
        answer = client.post("/predict", content=body)
        assert answer.status_code == status, answer.text
        wait_until(lambda: rows_of(database_url) != [], 10, "the row is in RAW")
        rows = rows_of(database_url)
        assert {row[:3] for row in rows} == {(answer.json()["request_id"], 0, status)}
        assert (rows[0][3] is not None) == (status == 200)
        assert rows[0][4] is not None
        assert 'ct_inference_log_dropped_total{reason="refused"} 0.0' in client.get("/metrics").text


def test_feedback_that_is_nested_deep_is_refused_in_words(tmp_path):
    with client_of(settings(tmp_path), BySize()) as client:
        answer = client.post("/feedback", content=f'{{"request_id": {nested(990)}, "actual_price": 1}}')
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["field"] == "request_id"


@contextmanager
def log_of(settings: Any) -> Iterator[Any]:
    from ct_serving.inference_log import InferenceLog
    from ct_serving.metrics import Metrics

    metrics = Metrics()
    log = InferenceLog(settings, metrics)
    log.start()
    try:
        yield log
    finally:
        log.close()
    assert metrics.registry.get_sample_value("ct_inference_log_queue_size") == 0


def encoded(**changes: Any) -> tuple[str, list[bytes]]:
    from ct_serving.raw_table import InferenceRow, encode

    now, request_id = datetime.now(UTC), uuid4()
    row = InferenceRow(request_id, 0, now, now, "ok", 200, price=1.0)
    return str(request_id), [encode(row._replace(**changes))]


def test_rows_that_postgresql_refuses_are_not_said_to_be_safe_and_hurt_no_others(tmp_path, serving_url, database_url):
    told: dict[str, bool] = {}
    good, bad = [encoded() for _ in range(5)], [encoded(status="of no kind") for _ in range(2)]
    with log_of(settings(tmp_path, database_url=serving_url)) as log:
        wait_until(lambda: "database" not in log.trouble, 20, "PostgreSQL is connected")
        both = ("both", [*good[4][1], *bad[1][1]])
        for name, rows in (*good[:2], bad[0], *good[2:4], both):
            log.add_encoded(rows, lambda kept, name=name: told.update({name: kept}))
        wait_until(lambda: len(told) == 6, 20, "all are told")
    assert {name for name, kept in told.items() if not kept} == {bad[0][0], "both"}
    assert {row[0] for row in rows_of(database_url)} == {name for name, _ in good}


def test_one_who_cannot_be_told_keeps_no_other_from_being_told(tmp_path, serving_url, database_url):
    def gone(kept: bool) -> None:
        raise RuntimeError("the loop is closed")

    told = Event()
    rows = [encoded() for _ in range(2)]
    with log_of(settings(tmp_path, database_url=serving_url)) as log:
        wait_until(lambda: "database" not in log.trouble, 20, "PostgreSQL is connected")
        log.add_encoded(rows[0][1], gone)
        log.add_encoded(rows[1][1], lambda kept: told.set())
        assert told.wait(10)
    assert {row[0] for row in rows_of(database_url)} == {name for name, _ in rows}


def test_a_postgresql_that_hangs_is_as_good_as_away(tmp_path, own_postgres):
    url = own_postgres.url(user="api", password="test")
    seen: list[str] = []
    with client_of(settings(tmp_path, database_url=url), BySize()) as client:
        seen.append(client.post("/predict", json=HOUSE).json()["request_id"])
        with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
            (backend,) = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'ct_serving'").fetchone()
        os.kill(backend, signal.SIGSTOP)
        try:
            for _ in range(3):
                started = time.monotonic()
                answer = client.post("/predict", json=HOUSE)
                assert answer.status_code == 200, answer.text
                assert time.monotonic() - started < 6
                seen.append(answer.json()["request_id"])
        finally:
            os.kill(backend, signal.SIGCONT)
        wait_until(lambda: len(rows_of(own_postgres.url())) >= 4, 20, "all are in RAW")
    assert [row[0] for row in rows_of(own_postgres.url())] == seen


def test_a_spool_that_is_damaged_while_it_is_used_is_put_aside(tmp_path, serving_url, database_url):
    away = psycopg.conninfo.conninfo_to_dict(serving_url)
    relay = Relay(free_port(), int(away["port"]))
    url = serving_url.replace(f":{away['port']}/", f":{relay.port}/")
    with log_of(settings(tmp_path, database_url=url)) as log:
        # More than SQLite holds in memory.
        safe = Event()
        log.add_encoded([row for _ in range(4000) for row in encoded(input={"text": "x" * 1500})[1]], lambda kept: safe.set())
        assert safe.wait(30)
        file = tmp_path / "spool" / "inferences.sqlite3"
        for part in (file, file.with_name(file.name + "-wal")):
            part.write_bytes(b"\xff" * part.stat().st_size)
        relay.open()
        wait_until(lambda: list(file.parent.glob("*.unreadable-*")) != [], 20, "the damage is noticed")
        names = []
        for _ in range(5):
            kept = Event()
            name, rows = encoded()
            log.add_encoded(rows, lambda ok, kept=kept: kept.set())
            assert kept.wait(0.9), "a row waits for the damaged spool"
            names.append(name)
        relay.close()
    assert {row[0] for row in rows_of(database_url)} >= set(names)


def test_a_spool_that_becomes_readable_again_is_replayed(tmp_path, serving_url, database_url):
    """As a volume that is mounted late: what it holds must not wait for the next outage."""
    from ct_serving.spool import Spool

    spool = Spool(tmp_path / "volume", 100)
    name, rows = encoded()
    spool.append(rows)
    spool.close()
    (tmp_path / "spool").write_text("a file where the directory is to be")
    with log_of(settings(tmp_path, database_url=serving_url)) as log:
        assert "spool" in log.trouble
        (tmp_path / "spool").unlink()
        (tmp_path / "volume").rename(tmp_path / "spool")
        wait_until(lambda: [row[0] for row in rows_of(database_url)] == [name], 20, "what waited on disk is in RAW")
        wait_until(lambda: log.trouble == {}, 5, "nothing is degraded any more")
    assert json.dumps(log.trouble) == "{}"
