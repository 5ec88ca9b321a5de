"""One run's conversation with the source: the next batch, or the way back to one that was missed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

import httpx
from ct_contract import BadDataError, NothingToDoError, StepError, TryLaterError
from ct_decisions.reasons import render
from ct_store.ledger import record_decision

from ct_collect.answer import InvalidAnswerError
from ct_collect.journal import Journal
from ct_collect.receive import Received, receive
from ct_collect.source import BrokenOffError, EndOfDataError, NotReachedError, RefusedError, Stream, restart

log = logging.getLogger(__name__)

OnGap = Literal["recover", "stop"]

WAY_OUT = (
    "run collect again with on_gap=recover, which restarts the source, compares every batch that is already stored and "
    "stores the missing one"
)


_WHAT_NOW = {
    "SKIP_END_OF_DATA": "the source's words: %(detail)s. Stop the schedule, or restart the source to begin again",
    "SKIP_NO_NEW_DATA": "run %(stored_by_run)s has stored these bytes. Nothing was added; the next run asks for the next batch",
}


def nothing_to_do(code: str, facts: Mapping[str, Any]) -> NothingToDoError:
    """The skip that an intake decision records, in the words in which every surface shows it."""
    log.info(_WHAT_NOW[code], facts)
    decision = {"kind": "intake", "outcome": "skip", "code": code, "facts": facts}
    return NothingToDoError(code, render(decision, "en"), {**facts, "reason_es": render(decision, "es")})


class Collector:
    """Takes one batch of one stream for one run.

    ``collect`` ends with the batch stored, or raises NothingToDoError, BadDataError or TryLaterError.
    """

    def __init__(self, stream: Stream, on_gap: OnGap, client: httpx.Client, journal: Journal) -> None:
        self.stream = stream
        self.on_gap = on_gap
        self.client = client
        self.journal = journal

    def collect(self) -> None:
        """Store the next batch of the stream."""
        state = self.journal.state()
        if state.recovering and self.on_gap == "recover":
            log.warning("an earlier try found batch %d missing and did not get it; the recovery begins again", state.expected)
            return self._recover(state.expected)
        try:
            received = self._receive(state.expected, "stored")
        except EndOfDataError as error:
            if state.unsettled or state.expected == 0:
                lost = "an earlier answer was not stored" if state.unsettled else "nothing was ever stored"
                return self._gap(error.request_id, state.expected, f"the source has ended ({error}), but {lost}", error.status)
            raise self._end_of_data(error) from error
        if received.is_stored:
            return None
        if not received.is_known:
            detail = (
                f"the source sent batch {received.number} of {self.stream.name}, but batch {state.expected} is not stored yet"
            )
            return self._gap(received.request_id, state.expected, detail, httpx.codes.OK, received.number)
        batch = self._compare(received)
        facts = {"batch_number": received.number, "sha256": received.sha256, "stored_by_run": batch["run_id"]}
        raise self._skip("SKIP_NO_NEW_DATA", facts, batch_id=batch["batch_id"])

    def _gap(self, request_id: int, expected: int, detail: str, status: int | None, number: int | None = None) -> None:
        self.journal.end(request_id, "gap", status=status, number=number, detail=detail)
        if self.on_gap == "stop":
            summary = {"stream": self.stream.name, "expected": expected, "received": number}
            raise BadDataError("BATCH_GAP", f"{detail}. Nothing was stored. The way out: {WAY_OUT}.", summary)
        log.warning("BATCH_GAP: %s; the source is restarted and read again", detail)
        self._recover(expected)

    def _recover(self, expected: int) -> None:
        """Restart the source and read on to the batch that is missing, comparing those that are known."""
        self._restart(expected)
        for number in range(expected + 1):
            try:
                received = self._receive(expected, "recovered")
            except EndOfDataError as error:
                if number < expected:
                    detail = f"the source ended before batch {number}, which is stored"
                    self.journal.end(error.request_id, "failed", status=error.status, detail=detail)
                    raise self._shrunk(number, expected) from error
                raise self._end_of_data(error) from error
            if received.number != number or not (received.is_stored or received.is_known):
                detail = f"after a restart the source sent batch {received.number} where batch {number} was due"
                self.journal.end(received.request_id, "gap", status=httpx.codes.OK, number=received.number, detail=detail)
                raise BadDataError(
                    "BATCH_GAP",
                    f"{detail}, and batch {expected} is still missing. Nothing was stored. Does another client use "
                    f"{self.stream.name}? Stop it, and {WAY_OUT}.",
                    {"stream": self.stream.name, "expected": expected, "received": received.number},
                )
            if received.is_stored:
                log.warning("batch %d was missing and is stored now; the batches before it are unchanged", expected)
                return
            self._compare(received)
            log.info("replay: batch %d is unchanged", number)
        raise RuntimeError(f"the replay passed batch {expected} without storing it")

    def _restart(self, expected: int) -> None:
        request_id = self.journal.begin("restart", self.stream.written("restart_data_generation"))
        try:
            restart(self.client, self.stream)
        except (NotReachedError, BrokenOffError) as error:
            self.journal.end(request_id, "failed", status=error.status, detail=str(error))
            _fail(error)
        except (RefusedError, EndOfDataError) as error:
            self.journal.end(request_id, "refused", status=error.status, detail=str(error))
            raise BadDataError(
                "BATCH_GAP",
                f"batch {expected} of {self.stream.name} is missing, and the source refuses to start again: {error}. Nothing "
                f"was stored. Ask its owner to restart it, then {WAY_OUT}.",
                {"stream": self.stream.name, "expected": expected},
            ) from error
        self.journal.end(request_id, "restarted", status=httpx.codes.OK)

    def _receive(self, expected: int, outcome: str) -> Received:
        try:
            return receive(self.client, self.stream, self.journal, expected=expected, outcome=outcome)
        except (NotReachedError, BrokenOffError, RefusedError, InvalidAnswerError) as error:
            _fail(error)

    def _compare(self, received: Received) -> dict[str, Any]:
        """The stored batch of this number. Raises BadDataError if the source sends other bytes for it now."""
        batch = self.journal.batch(received.number)
        if batch is None:
            raise RuntimeError(f"batch {received.number} was stored a moment ago and is gone")
        if batch["body_sha256"] == received.sha256:
            self.journal.end(received.request_id, "known", status=httpx.codes.OK, number=received.number)
            return batch
        detail = (
            f"batch {received.number} of {self.stream.name} was stored with sha256 {batch['body_sha256']} "
            f"and the source now sends {received.sha256}"
        )
        self.journal.end(received.request_id, "failed", status=httpx.codes.OK, number=received.number, detail=detail)
        raise BadDataError(
            "BATCH_CHANGED",
            f"{detail}. What is stored was kept, nothing was added. If this is another source, give it a database or a group "
            "of its own; if the source was corrected, its batches must be collected anew.",
            {
                "stream": self.stream.name,
                "batch_number": received.number,
                "stored": batch["body_sha256"],
                "sent": received.sha256,
            },
        )

    def _shrunk(self, number: int, expected: int) -> BadDataError:
        return BadDataError(
            "BATCH_CHANGED",
            f"after a restart the source of {self.stream.name} ends before batch {number}, and {expected} batches are stored. "
            "They were kept. This is another source: give it a database or a group of its own.",
            {"stream": self.stream.name, "batch_number": number},
        )

    def _end_of_data(self, error: EndOfDataError) -> NothingToDoError:
        facts = {"detail": str(error), "http_status": error.status, "batches_stored": self.journal.state().expected}
        with self.journal.connection.transaction():
            self.journal.end(error.request_id, "end_of_data", status=error.status, detail=str(error))
            return self._skip("SKIP_END_OF_DATA", facts)

    def _skip(self, code: str, facts: dict[str, Any], batch_id: int | None = None) -> NothingToDoError:
        facts = {"stream": self.stream.name, **facts}
        with self.journal.connection.transaction():
            record_decision(
                self.journal.connection,
                dag_id=self.journal.dag_id,
                run_id=self.journal.run_id,
                kind="intake",
                outcome="skip",
                code=code,
                batch_id=batch_id,
                facts=facts,
            )
        return nothing_to_do(code, facts)


def _fail(error: Exception) -> NoReturn:
    raise _step_error(error) from error


def _step_error(error: Exception) -> StepError:
    if isinstance(error, RefusedError):
        return BadDataError(
            "SOURCE_REFUSED",
            f"{error}. Nothing was stored, and asking again would change nothing: correct the group, the day or the address.",
            {"http_status": error.status},
        )
    if isinstance(error, InvalidAnswerError):
        return BadDataError(
            "SOURCE_INVALID",
            f"the source's answer is no batch: {error}. Nothing was stored. The source has gone on to its next batch; to ask "
            f"for this one again, {WAY_OUT}.",
        )
    moved = "not moved" if isinstance(error, NotReachedError) else "perhaps moved on, which the next try notices and repairs"
    return TryLaterError("SOURCE_UNAVAILABLE", f"{error}. Nothing was stored; the source's cursor has {moved}.")
