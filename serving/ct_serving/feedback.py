"""POST /feedback: what a property was really worth, for a row that was priced.

It is written to PostgreSQL before it is answered; while PostgreSQL is away the answer is 503 with Retry-After, and
nothing is kept: who gives a price still has it, and may send it again without a second line (raw.give_feedback).
A row that waits in this process's spool is known, though PostgreSQL has not seen it yet.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.bounded import BoundedPool, BusyError
from ct_serving.metrics import Metrics
from ct_serving.raw_table import beginning
from ct_serving.refusals import RouteError, json_answer, read_body, read_json, try_later
from ct_serving.route_database import Connection, Database, DatabaseAwayError
from ct_serving.schemas import FEEDBACK_ALLOWED, FEEDBACK_EXAMPLE, Feedback, problem
from ct_serving.settings import Settings
from ct_serving.spool import FILE_NAME

logger = logging.getLogger(__name__)

RETRY_SECONDS = 15
_GIVE = "SELECT * FROM raw.give_feedback(%s, %s, %s, %s, %s, %s)"


def waits_in_spool(directory: Path, request_id: UUID) -> bool:
    """Whether a row of the request waits on disk. A spool that cannot be read holds nothing that is known."""
    file = directory / FILE_NAME
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as spool:
            start = beginning(request_id)
            statement = "SELECT 1 FROM pending WHERE substr(row, 1, ?) = ? LIMIT 1"
            return spool.execute(statement, (len(start), start)).fetchone() is not None
    except sqlite3.Error as error:
        logger.warning("the spool cannot be read to look for a request: %s", error)
        return False


class FeedbackRoute:
    """The route's dependencies and its work."""

    def __init__(self, database: Database, settings: Settings, metrics: Metrics) -> None:
        self._database = database
        self._settings = settings
        self._metrics = metrics
        self._disk = BoundedPool("spool-reader", 1, 8)

    async def __call__(self, request: Request) -> Response:
        """Keep one real price. Raises RouteError: 404 for a row that is not on record, 422, 503."""
        given = parse_feedback(await read_body(request.receive))
        client: str | None = request.state.client
        try:
            found = await self._give(given, client, accept_unknown=False)
            if found["outcome"].startswith("unknown"):
                found = await self._look_again(given, client, found)
        except DatabaseAwayError as error:
            self._metrics.feedback.labels("unavailable").inc()
            logger.warning("feedback cannot be kept: %s", error)
            message = "the database is away; nothing was kept. Send the same again later"
            raise try_later("database", message, RETRY_SECONDS) from error
        return self._answer(request.state.request_id, given, found)

    async def _give(self, given: Feedback, client: str | None, *, accept_unknown: bool) -> dict[str, Any]:
        values = (given.request_id, given.row_number, given.actual_price, given.kind, client, accept_unknown)

        def give(connection: Connection) -> dict[str, Any]:
            found = connection.execute(_GIVE, values).fetchone()
            assert found is not None
            return found

        return await self._database.run(give)

    async def _look_again(self, given: Feedback, client: str | None, found: dict[str, Any]) -> dict[str, Any]:
        """The row may wait in the spool, or still be on its way through the queue."""
        try:
            with self._disk.place():
                spooled = await self._disk.run(lambda: waits_in_spool(self._settings.spool_directory, given.request_id))
        except BusyError:
            spooled = False
        if not spooled:
            await asyncio.sleep(self._settings.flush_seconds + 0.1)
        return (
            await self._give(given, client, accept_unknown=spooled)
            if spooled or found["outcome"] == "unknown_request"
            else found
        )

    def _answer(self, request_id: UUID, given: Feedback, found: dict[str, Any]) -> Response:
        outcome: str = found["outcome"]
        if outcome.startswith("unknown"):
            self._metrics.feedback.labels("unknown").inc()
            if outcome == "unknown_row":
                field, message = "row_number", f"request {given.request_id} has no row {given.row_number}; rows count from 0"
            else:
                field, message = "request_id", f"no request {given.request_id} is on record"
            raise RouteError(404, [problem(field, message, FEEDBACK_ALLOWED[field])])
        self._metrics.feedback.labels(outcome).inc()
        predicted: float | None = found["predicted"]
        if outcome == "stored" and predicted is not None:
            self._metrics.feedback_error.observe(abs(math.log(given.actual_price / predicted)))
        return json_answer(
            {
                "request_id": str(request_id),
                "feedback_for": str(given.request_id),
                "row_number": given.row_number,
                "kind": given.kind,
                "actual_price": given.actual_price,
                "result": outcome,
                "replaced": found["replaced"] if outcome == "stored" else None,
                "predicted": predicted,
                "model_version": found["model_version"],
            }
        )


def parse_feedback(body: bytes) -> Feedback:
    """A body as feedback. Raises RouteError (422) with a problem for each field."""
    content = read_json(body, FEEDBACK_EXAMPLE)
    if not isinstance(content, dict):
        given = body[:200].decode(errors="replace")
        raise RouteError(422, [problem("body", "feedback is an object", given, "an object", FEEDBACK_EXAMPLE)])
    try:
        return Feedback.model_validate(content)
    except ValidationError as error:
        raise RouteError(422, [_problem(details) for details in error.errors(include_url=False)]) from None


def _problem(details: Any) -> dict[str, Any]:
    name = str(details["loc"][0])
    given = None if details["type"] == "missing" else details["input"]
    allowed = FEEDBACK_ALLOWED.get(name, f"one of the fields {', '.join(FEEDBACK_ALLOWED)}")
    return problem(name[:100], details["msg"], given, allowed, FEEDBACK_EXAMPLE.get(name))
