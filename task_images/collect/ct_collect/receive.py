"""Receive one answer into RAW: rows, hash and lineage in one transaction, or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from ct_store.connection import Connection
from ct_store.copy import HEADER, TRAILER
from psycopg.types.json import Jsonb

from ct_collect.journal import Journal
from ct_collect.raw_rows import COPY, RowPacker
from ct_collect.rows import BodyError, RowReader
from ct_collect.source import BrokenOffError, EndOfDataError, NotReachedError, SourceError, Stream, request_batch


class InvalidAnswerError(Exception):
    """The source answered 200 with something that is not a batch. Nothing of it was stored."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """An answer that was read to its end. ``batch_id`` is set if its rows now wait in the open transaction."""

    request_id: int
    number: int
    rows: int
    bytes: int
    sha256: str
    batch_id: int


def receive(client: httpx.Client, stream: Stream, journal: Journal, connection: Connection) -> Received:
    """Ask for a batch and write it into ``connection``'s transaction, which the caller commits or rolls back.

    The request is in the journal before it is sent, and its ending there if there is no batch. Raises one of the
    SourceErrors or InvalidAnswerError, with the transaction rolled back.
    """
    request_id = journal.begin("data", stream.address("data"))
    try:
        return _receive(client, stream, journal, connection, request_id)
    except BaseException as error:
        connection.rollback()
        if isinstance(error, (SourceError, InvalidAnswerError)):
            status: int = httpx.codes.OK
            if isinstance(error, SourceError):
                error.request_id = request_id
                status = error.status or 0
            journal.end(request_id, _ending(error), status=status or None, detail=str(error)[:2000])
        raise


def _ending(error: Exception) -> str:
    if isinstance(error, EndOfDataError):
        return "end_of_data"
    if isinstance(error, (BrokenOffError, InvalidAnswerError)):
        return "failed"  # the cursor may have moved
    if isinstance(error, NotReachedError):
        return "refused"
    return "refused"


def _receive(client: httpx.Client, stream: Stream, journal: Journal, connection: Connection, request_id: int) -> Received:
    row = connection.execute("SELECT nextval(pg_get_serial_sequence('raw.batches', 'batch_id')) AS id").fetchone()
    if row is None:
        raise RuntimeError("PostgreSQL gave no batch id")
    packer = RowPacker(row["id"])
    try:
        with request_batch(client, stream) as body, connection.cursor() as cursor:
            reader = RowReader(body)
            with cursor.copy(COPY) as copy:
                copy.write(HEADER)
                for rows in reader:
                    copy.write(packer.pack(rows))
                copy.write(TRAILER)
    except (BodyError, psycopg.DataError) as error:
        raise InvalidAnswerError(f"the source's answer cannot be stored: {error}") from error
    number = _batch_number(reader.envelope, packer.rows)
    connection.execute(
        """
        INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, body_sha256,
                                 envelope, schema_seen, requested_at)
        SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, sent_at FROM raw.requests WHERE request_id = %s
        ON CONFLICT ON CONSTRAINT one_batch_a_number DO NOTHING
        """,
        (
            packer.batch_id,
            stream.name,
            number,
            journal.dag_id,
            journal.run_id,
            request_id,
            packer.rows,
            body.bytes,
            body.sha256,
            Jsonb(reader.envelope),
            Jsonb(packer.schema_seen(), dumps=_in_order),
            request_id,
        ),
    )
    return Received(
        request_id=request_id, number=number, rows=packer.rows, bytes=body.bytes, sha256=body.sha256, batch_id=packer.batch_id
    )


def _in_order(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _batch_number(envelope: dict[str, Any], rows: int) -> int:
    number = envelope.get("batch_number")
    if type(number) is not int or number < 0:
        raise InvalidAnswerError(f"the source's answer has no batch_number, but {sorted(envelope)}")
    if rows == 0:
        raise InvalidAnswerError(f"the source sent batch {number} without a single row")
    return number
