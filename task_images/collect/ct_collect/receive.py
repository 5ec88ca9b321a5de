"""Receive one answer into RAW: rows, hash and lineage in one transaction, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import psycopg
from ct_store.copy import HEADER, TRAILER
from ct_store.ledger import record_step
from psycopg.types.json import Jsonb

from ct_collect.answer import AnswerReader, InvalidAnswerError
from ct_collect.journal import Journal
from ct_collect.raw_rows import COPY, RowPacker, TooManyColumnsError, storable
from ct_collect.source import (
    Body,
    BrokenOffError,
    EndOfDataError,
    SourceError,
    Stream,
    request_batch,
)

_MOST_NUMBER = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Received:
    """A batch that the source sent: stored now, known from before, or neither, because others are missing before it.

    ``sha256`` is of the whole body if the batch is stored or known.
    """

    request_id: int
    number: int
    is_stored: bool
    is_known: bool
    sha256: str


def receive(client: httpx.Client, stream: Stream, journal: Journal, *, expected: int, outcome: str) -> Received:
    """Ask for a batch once and store it if its number is ``expected``, with ``outcome`` as the request's ending.

    The request is in the journal before it is sent. Its ending is written here if the batch is stored or the request
    failed; an end of data and any other batch, of which nothing is stored, are the caller's to judge. Raises
    one of the SourceErrors or InvalidAnswerError.
    """
    request_id = journal.begin("data", stream.written("data"))
    try:
        with request_batch(client, stream) as body:
            return _read(body, stream, journal, request_id=request_id, expected=expected, outcome=outcome)
    except InvalidAnswerError as error:
        journal.end(request_id, "failed", status=httpx.codes.OK, detail=str(error))
        raise
    except SourceError as error:
        if isinstance(error, EndOfDataError):
            error.request_id = request_id
        else:
            # "refused": the cursor has not moved. "failed": it may have.
            ending = "failed" if isinstance(error, BrokenOffError) else "refused"
            journal.end(request_id, ending, status=error.status, detail=str(error))
        raise


def _read(body: Body, stream: Stream, journal: Journal, *, request_id: int, expected: int, outcome: str) -> Received:
    reader = AnswerReader(body)
    try:
        head = reader.head()
        if "batch_number" in head and (number := _batch_number(head)) != expected:
            _check_echo(head, stream)
            is_known = journal.batch(number) is not None
            if is_known:
                reader.skip()
            return Received(request_id=request_id, number=number, is_stored=False, is_known=is_known, sha256=body.sha256)
        return _store(reader, body, stream, journal, request_id=request_id, expected=expected, outcome=outcome)
    except InvalidAnswerError as error:
        if error.ended_early and not body.has_end:
            raise BrokenOffError(f"{stream.place} ended its answer early: {error}", httpx.codes.OK) from error
        raise
    except (TooManyColumnsError, psycopg.DataError, orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidAnswerError(f"the rows cannot be stored: {error}") from error


def _store(
    reader: AnswerReader, body: Body, stream: Stream, journal: Journal, *, request_id: int, expected: int, outcome: str
) -> Received:
    connection = journal.connection
    with connection.transaction() as transaction:
        row = connection.execute("SELECT nextval(pg_get_serial_sequence('raw.batches', 'batch_id')) AS id").fetchone()
        if row is None:
            raise RuntimeError("PostgreSQL gave no batch id")
        packer = RowPacker(row["id"])
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(HEADER)
            for rows in reader:
                copy.write(packer.pack(rows))
            copy.write(TRAILER)
        number = _batch_number(reader.envelope)
        _check_echo(reader.envelope, stream)
        if number != expected:
            raise psycopg.Rollback(transaction)
        if packer.rows == 0:
            raise InvalidAnswerError(f"batch {number} has no rows")
        connection.execute(
            """
            INSERT INTO raw.batches (batch_id, stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes,
                                     body_sha256, envelope, schema_seen, requested_at)
            SELECT %s, %s, %s, %s, %s, request_id, %s, %s, %s, %s, %s, sent_at FROM raw.requests WHERE request_id = %s
            """,
            (packer.batch_id, stream.name, number, journal.dag_id, journal.run_id, packer.rows, body.bytes, body.sha256,
             Jsonb(storable(reader.envelope)), Jsonb(packer.schema_seen()), request_id),
        )  # fmt: skip
        journal.end(request_id, outcome, status=httpx.codes.OK, number=number)
        record_step(connection, dag_id=journal.dag_id, run_id=journal.run_id, step="collect", batch_id=packer.batch_id)
    is_stored = number == expected
    is_known = not is_stored and journal.batch(number) is not None
    return Received(request_id=request_id, number=number, is_stored=is_stored, is_known=is_known, sha256=body.sha256)


def _batch_number(envelope: dict[str, Any]) -> int:
    number = envelope.get("batch_number")
    if type(number) is not int or not 0 <= number <= _MOST_NUMBER:
        told = f"its batch_number is {number!r}" if "batch_number" in envelope else f"it has {sorted(envelope)} and rows"
        raise InvalidAnswerError(f"the answer says not which batch it is: {told}")
    return number


def _check_echo(envelope: dict[str, Any], stream: Stream) -> None:
    """The source repeats what it was asked for; another group's batch must not be taken for ours."""
    asked = {"group_number": stream.group_number, "day": stream.day}
    for name, value in asked.items():
        if value is not None and name in envelope and str(envelope[name]) != str(value):
            raise InvalidAnswerError(f"the source was asked for {name} {value!r} and answered for {envelope[name]!r}")
