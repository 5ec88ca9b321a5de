"""The collect step: read its input, keep other collectors of the stream out, and tell what was stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
from ct_contract import ContractError, TaskInput, TaskResult, TryLaterError
from ct_store.connection import Connection, connect
from ct_store.ledger import find_decision

from ct_collect.collector import Collector, OnGap, nothing_to_do
from ct_collect.journal import Journal
from ct_collect.source import Stream, open_client

log = logging.getLogger(__name__)

STREAM_LOCKS = 7_223_116
"""First key of the advisory locks that keep two collectors of one stream apart."""

LOCK_WAIT_SECONDS = 300
"""How long to wait for another collector: as long as the slowest batch and a replay may reasonably take."""


def collect(payload: TaskInput) -> TaskResult:
    """Store the next batch of the stream in RAW, or find that this run has stored one before.

    Raises NothingToDoError at the end of data and for a batch that is known, BadDataError for a gap (``on_gap`` is
    ``stop``), a changed batch, a refusal and an answer that is no batch, TryLaterError if the source or PostgreSQL is
    away or another task collects from the stream for long.
    """
    stream, on_gap = _read(payload)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would write addresses with their passwords
    try:
        with connect("collect") as connection, _alone(connection, stream.name):
            return _collect(payload, stream, on_gap, Journal(connection, stream.name, payload.dag_id, payload.run_id))
    except psycopg.OperationalError as error:
        raise TryLaterError(
            "DATABASE_UNAVAILABLE",
            f"PostgreSQL went away: {error}. No half batch was kept; the next try compares batch numbers with the source.",
        ) from error


def _collect(payload: TaskInput, stream: Stream, on_gap: OnGap, journal: Journal) -> TaskResult:
    if (stored := journal.batch_of_run()) is not None:
        log.info("this run has stored batch %d before; the source was not asked", stored["batch_number"])
        return _result(payload, stored)
    skipped = find_decision(journal.connection, dag_id=payload.dag_id, run_id=payload.run_id, kind="intake")
    if skipped is not None:
        log.info("this run has found nothing to do before; the source was not asked")
        raise nothing_to_do(skipped["code"], skipped["facts"])
    log.info("asking %s for the next batch of %s", stream.place, stream.name)
    with open_client() as client:
        Collector(stream, on_gap, client, journal).collect()
    if (stored := journal.batch_of_run()) is None:
        raise RuntimeError("the batch was received and is not in RAW")
    return _result(payload, stored)


def _read(payload: TaskInput) -> tuple[Stream, OnGap]:
    url = payload.require("source_url", str)
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ContractError(f"source_url is no URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ContractError("source_url is no http(s) URL such as http://data-source:8000")
    day = payload.inputs.get("day") or None
    if day is not None and not isinstance(day, str):
        raise ContractError(f"day is {day!r}, expected a text such as Tuesday")
    wanted = payload.inputs.get("on_gap") or "recover"
    if wanted not in ("recover", "stop"):
        raise ContractError(f"on_gap is {wanted!r}, expected recover or stop")
    on_gap: OnGap = "stop" if wanted == "stop" else "recover"
    return Stream(url=url, group_number=payload.require("group_number", int), day=day), on_gap


@contextmanager
def _alone(connection: Connection, stream: str) -> Iterator[None]:
    """Hold the stream's lock. It belongs to the session, so that a killed collector gives it back."""
    connection.autocommit = True
    # A collector whose machine is gone must not hold the stream for the two hours of the usual keep-alive.
    connection.execute("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")
    connection.execute(f"SET lock_timeout = '{LOCK_WAIT_SECONDS}s'".encode())
    try:
        connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (STREAM_LOCKS, stream))
    except psycopg.errors.LockNotAvailable as error:
        raise TryLaterError(
            "SOURCE_UNAVAILABLE",
            f"another task has been collecting from {stream} for {LOCK_WAIT_SECONDS} s; the source was not asked",
        ) from error
    connection.execute("RESET lock_timeout")
    yield


def _result(payload: TaskInput, batch: dict[str, Any]) -> TaskResult:
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="COLLECTED",
        reason=(
            f"Batch {batch['batch_number']} of {batch['stream']} is in RAW: {batch['row_count']:,} rows from "
            f"{batch['body_bytes']:,} bytes, sha256 {batch['body_sha256'][:12]}."
        ),
        summary={
            "batch_id": batch["batch_id"],
            "batch_number": batch["batch_number"],
            "stream": batch["stream"],
            "rows": batch["row_count"],
            "bytes": batch["body_bytes"],
            "sha256": batch["body_sha256"],
        },
    )
