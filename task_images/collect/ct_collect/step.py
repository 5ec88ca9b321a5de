"""Collect one batch a run, exactly once, from a source whose GET moves a cursor."""

from __future__ import annotations

import logging
from typing import Any, Literal

import httpx
from ct_contract import BadDataError, ContractError, NothingToDoError, TaskInput, TaskResult, TryLaterError
from ct_store.connection import Connection, connect
from ct_store.ledger import find_decision, record_decision

from ct_collect.journal import Journal
from ct_collect.receive import InvalidAnswerError, Received, receive
from ct_collect.source import BrokenOffError, EndOfDataError, NotReachedError, RefusedError, Stream, open_client, restart

log = logging.getLogger(__name__)

OnGap = Literal["recover", "stop"]

STREAM_LOCKS = 7_223_116
"""First key of the advisory locks that keep two collectors of one stream apart."""

WAY_OUT = (
    "run collect again with on_gap=recover: it restarts the source, compares every batch that is already stored and stores "
    "the missing one"
)


def collect(payload: TaskInput) -> TaskResult:
    """Store the next batch of the stream in RAW, or find that this run has stored one before.

    Raises NothingToDoError at the end of data or for a batch that is known, BadDataError for a gap (``on_gap`` is
    ``stop``), a changed batch, a refusal and an answer that is no batch, TryLaterError if the source is away.
    """
    stream, on_gap = _read(payload)
    with connect("collect") as control, connect("collect") as connection:
        control.autocommit = True
        journal = Journal(control, stream.name, payload.dag_id, payload.run_id)
        _lock(control, stream.name)
        stored = journal.batch_of_run()
        if stored is not None:
            log.info("this run has stored batch %d before; the source was not asked", stored["batch_number"])
            return _result(payload, stream, stored)
        skipped = find_decision(control, dag_id=payload.dag_id, run_id=payload.run_id, kind="intake")
        if skipped is not None:
            raise NothingToDoError(skipped["code"], "this run has found nothing to do before; a new run asks the source again")
        with open_client() as client:
            _Collector(payload, stream, on_gap, client=client, journal=journal, connection=connection).collect()
        stored = journal.batch_of_run()
    if stored is None:
        raise RuntimeError("the batch was received and is not in RAW")
    return _result(payload, stream, stored)


def _read(payload: TaskInput) -> tuple[Stream, OnGap]:
    day = payload.inputs.get("day") or None
    on_gap: OnGap = "stop" if payload.inputs.get("on_gap") == "stop" else "recover"
    if payload.inputs.get("on_gap") not in (None, "", "recover", "stop"):
        raise ContractError(f"on_gap is {payload.inputs['on_gap']!r}, expected recover or stop")
    if day is not None and not isinstance(day, str):
        raise ContractError(f"day is {day!r}, expected a text such as Tuesday")
    stream = Stream(url=payload.require("source_url", str), group_number=payload.require("group_number", int), day=day)
    return stream, on_gap


def _lock(control: Connection, stream: str) -> None:
    row = control.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s)) AS taken", (STREAM_LOCKS, stream)).fetchone()
    if row is None or not row["taken"]:
        raise TryLaterError("STREAM_BUSY", f"another task collects from {stream} at this moment; the source was not asked")


def _result(payload: TaskInput, stream: Stream, batch: dict[str, Any]) -> TaskResult:
    return TaskResult(
        task=payload.task,
        run_id=payload.run_id,
        code="COLLECTED",
        reason=(
            f"Batch {batch['batch_number']} of {stream.name} is in RAW: "
            f"{batch['row_count']:,} rows, {batch['body_bytes']:,} bytes."
        ),
        summary={
            "batch_id": batch["batch_id"],
            "batch_number": batch["batch_number"],
            "stream": stream.name,
            "rows": batch["row_count"],
            "bytes": batch["body_bytes"],
            "sha256": batch["body_sha256"],
        },
    )


class _Collector:
    """One run's conversation with the source."""

    def __init__(
        self,
        payload: TaskInput,
        stream: Stream,
        on_gap: OnGap,
        *,
        client: httpx.Client,
        journal: Journal,
        connection: Connection,
    ) -> None:
        self.payload = payload
        self.stream = stream
        self.on_gap = on_gap
        self.client = client
        self.journal = journal
        self.connection = connection

    def collect(self) -> None:
        """Store the next batch."""
        state = self.journal.state()
        if state.replaying:
            log.warning("an earlier try was replaying the stream to find batch %d; it begins again", state.expected)
            return self._recover(state.expected)
        try:
            received = self._receive()
        except EndOfDataError as error:
            if state.unsettled:
                detail = f"the source has ended ({error}), but an earlier answer was not stored"
                self.journal.end(error.request_id, "gap", status=error.status, detail=detail)
                return self._gap(state.expected, detail)
            raise self._skip("SKIP_END_OF_DATA", f"the source has no more data: {error}") from error
        if received.number == state.expected:
            return self._store(received, "stored")
        if received.number < state.expected:
            self._compare(received)
            raise self._skip("SKIP_NO_NEW_DATA", f"the source sent batch {received.number} again, which is stored already")
        self.connection.rollback()
        detail = f"the source sent batch {received.number}, batch {state.expected} was expected"
        self.journal.end(received.request_id, "gap", status=200, number=received.number, detail=detail)
        return self._gap(state.expected, detail)

    def _gap(self, expected: int, detail: str) -> None:
        log.warning("BATCH_GAP: %s", detail)
        if self.on_gap == "stop":
            raise BadDataError("BATCH_GAP", f"{detail}. Nothing was stored. The way out: {WAY_OUT}.", {"expected": expected})
        self._recover(expected)

    def _recover(self, expected: int) -> None:
        """Restart the source and read on to the batch that is missing, comparing those that are known."""
        request_id = self.journal.begin("restart", self.stream.address("restart_data_generation"))
        try:
            restart(self.client, self.stream)
        except (NotReachedError, BrokenOffError) as error:
            self.journal.end(request_id, "failed", status=error.status, detail=str(error))
            raise _try_later(error) from error
        except RefusedError as error:
            self.journal.end(request_id, "refused", status=error.status, detail=str(error))
            raise BadDataError(
                "BATCH_GAP", f"batch {expected} is missing and the source refuses to restart: {error}. Nothing was stored."
            ) from error
        self.journal.end(request_id, "restarted", status=200)
        for number in range(expected + 1):
            try:
                received = self._receive()
            except EndOfDataError as error:
                raise self._skip(
                    "SKIP_END_OF_DATA", f"the source, read again from its start, has no more data: {error}"
                ) from error
            if received.number != number:
                self.connection.rollback()
                detail = f"after a restart the source sent batch {received.number} where {number} was expected"
                self.journal.end(received.request_id, "gap", status=200, number=received.number, detail=detail)
                raise BadDataError("BATCH_GAP", f"{detail}: does another client use {self.stream.name}? Nothing was stored.")
            if number == expected:
                return self._store(received, "recovered")
            self._compare(received)
            log.info("replay: batch %d is unchanged", number)
        raise RuntimeError("a replay ended without its batch")

    def _receive(self) -> Received:
        try:
            return receive(self.client, self.stream, self.journal, self.connection)
        except (NotReachedError, BrokenOffError) as error:
            raise _try_later(error) from error
        except RefusedError as error:
            raise BadDataError(
                "SOURCE_REFUSED", f"{error}. Nothing was stored; correct the group, the day or the address."
            ) from error
        except InvalidAnswerError as error:
            raise BadDataError("SOURCE_INVALID", f"{error}. Nothing was stored; {WAY_OUT}.") from error

    def _store(self, received: Received, outcome: str) -> None:
        self.journal.end(
            received.request_id, outcome, status=200, number=received.number, detail=received.sha256, connection=self.connection
        )
        self.connection.commit()
        log.info(
            "batch %d stored: %d rows, %d bytes, sha256 %s", received.number, received.rows, received.bytes, received.sha256
        )

    def _compare(self, received: Received) -> None:
        """Make sure that a batch which is stored already has not changed; what came with this answer is dropped."""
        self.connection.rollback()
        stored = self.journal.batch(received.number)
        if stored is not None and stored["body_sha256"] == received.sha256:
            self.journal.end(received.request_id, "known", status=200, number=received.number, detail=received.sha256)
            return
        before = stored["body_sha256"] if stored else "nothing"
        detail = f"batch {received.number} was stored with sha256 {before} and the source now sends {received.sha256}"
        self.journal.end(received.request_id, "failed", status=200, number=received.number, detail=detail)
        raise BadDataError(
            "BATCH_CHANGED",
            f"{detail}. What is stored was kept, nothing was added. Is this another source? Use a stream of its own for it.",
            {"batch_number": received.number},
        )

    def _skip(self, code: str, message: str) -> NothingToDoError:
        with self.connection.transaction():
            record_decision(
                self.connection,
                dag_id=self.payload.dag_id,
                run_id=self.payload.run_id,
                kind="intake",
                outcome="skip",
                code=code,
                facts={"stream": self.stream.name},
            )
        return NothingToDoError(code, message, {"stream": self.stream.name})


def _try_later(error: BrokenOffError | NotReachedError) -> TryLaterError:
    return TryLaterError("SOURCE_UNAVAILABLE", f"{error}. Nothing was stored; the next try compares batch numbers.")
