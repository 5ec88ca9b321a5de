"""CLEAN filled with listings of a small market with a known price structure."""

from __future__ import annotations

import hashlib

import numpy as np
import psycopg
import pytest


def add_batch(url: str, batch_id: int, rows: int) -> None:
    """A batch in RAW and CLEAN: two states, forty zip codes; price = size x area level x noise."""
    random = np.random.default_rng(batch_id)
    with psycopg.connect(url, autocommit=True) as owner:
        request = owner.execute(
            "INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r', 'data', 'http://s') RETURNING request_id"
        ).fetchone()[0]
        owner.execute(
            "INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, "
            "body_sha256, envelope, schema_seen, requested_at) "
            "VALUES (%s, 's', %s, 'd', %s, %s, %s, 1, %s, '{}', '{}', now())",
            (batch_id, batch_id, f"collect-{batch_id}", request, rows, hashlib.sha256(bytes([batch_id])).hexdigest()),
        )
        owner.execute(
            "INSERT INTO clean.batches VALUES (%s, 'r', '1', %s, %s, %s, 0, 0, '{}', %s)",
            (batch_id, rows, rows, rows, f"digest-{batch_id}"),
        )
        with owner.cursor().copy("COPY clean.listings FROM STDIN") as copy:
            for number in range(1, rows + 1):
                copy.write_row(_listing(random, batch_id, number))


def _listing(random: np.random.Generator, batch_id: int, number: int) -> tuple[object, ...]:
    area = int(random.integers(0, 40))
    zip_code, state = f"{90000 + 13 * area:05d}", ("California", "Oregon")[area % 2]
    street = batch_id * 1_000_000 + number
    key = f"{street}|{zip_code}"
    bucket = int(hashlib.md5(key.encode()).hexdigest()[:8], 16) % 100
    split = "test" if bucket < 20 else "validation" if bucket < 27 else "calibration" if bucket < 34 else "train"
    size = float(np.round(np.exp(random.normal(7.4, 0.4))))
    price = float(np.round(size * (100 + 10 * area) * np.exp(random.normal(0, 0.2))))
    bed = None if random.random() < 0.05 else int(random.integers(1, 6))
    sold = None if random.random() < 0.3 else f"20{int(random.integers(10, 23)):02d}-05-17"
    return (
        batch_id, number, key, bucket, split, False, int(random.integers(1, 60)), "for_sale", price, bed, 2, 0.25, street,
        f"Town {area // 4}", state, zip_code, size, sold,
    )  # fmt: skip


def add_decision(url: str, batch_id: int, run_id: str) -> str:
    """The decision to train for a batch; its id."""
    from ct_store.ledger import record_decision

    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as owner:
        return str(
            record_decision(
                owner, dag_id="d", run_id=run_id, kind="retrain", outcome="train", code="TRAIN_BOOTSTRAP", batch_id=batch_id,
                policy={"name": "strict", "version": "1", "digest": "0" * 64}, facts={"fired": []},
            )
        )  # fmt: skip


class Clean:
    """CLEAN of one test: add batches and decisions."""

    def __init__(self, url: str) -> None:
        self.url = url

    def add_batch(self, batch_id: int, rows: int) -> None:
        add_batch(self.url, batch_id, rows)

    def decide(self, batch_id: int, run_id: str) -> str:
        return add_decision(self.url, batch_id, run_id)


@pytest.fixture
def clean(database_url: str) -> Clean:
    return Clean(database_url)
