"""The HTTP face of the class data API, route by route."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import anyio
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from ct_data_source.bodies import END, Layout, StoredBatch
from ct_data_source.cursors import Cursors
from ct_data_source.metrics import Measured, Metrics
from ct_data_source.settings import Edition

END_OF_DATA = "Ya se recolectó toda la información mínima necesaria"
BAD_GROUP = "Número de grupo inválido"
WELCOME = {"Proyecto Final": "Extracción de datos, entrenamiento de modelos."}
READ_BYTES = 1 << 20

Day = Literal["Tuesday", "Wednesday"]
Group = Annotated[int, Query(description="number of the group")]
GroupDay = Annotated[Day, Query(description="day of the group's course")]


class BatchResponse(Response):
    """A head, a file of rows and the end, with the length announced; the file is read in worker threads."""

    media_type = "application/json"

    def __init__(self, head: bytes, batch: StoredBatch) -> None:
        super().__init__(headers={"content-length": str(len(head) + batch.size + len(END))})
        self.head = head
        self.file: Path = batch.file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts as the client takes them; memory holds one megabyte of the file."""
        async with await anyio.open_file(self.file, "rb") as stream:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.head, "more_body": True})
            while chunk := await stream.read(READ_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": END, "more_body": False})


@dataclass(frozen=True)
class Source:
    """What is served: rendered batches, the cursors over them, and the bounds of valid groups (inclusive)."""

    batches: list[StoredBatch]
    cursors: Cursors
    groups: tuple[int, int] = (1, 10)
    layout: Layout = "spaced"

    def take(self, group: int, day: str | None) -> tuple[bytes, StoredBatch]:
        """Move the cursor and return the head of the body and its batch. Raises the documented 400s."""
        self._check(group)
        number = self.cursors.take(group, day)
        if number is None:
            raise HTTPException(400, END_OF_DATA)
        batch = self.batches[number]
        return batch.head(group, day, self.layout), batch

    def restart(self, group: int, day: str | None) -> dict[str, bool]:
        """Begin again at batch 0 for this group and day. Raises the documented 400 for a bad group."""
        self._check(group)
        self.cursors.restart(group, day)
        return {"ok": True}

    def _check(self, group: int) -> None:
        if not self.groups[0] <= group <= self.groups[1]:
            raise HTTPException(400, BAD_GROUP)


def create_app(source: Source, edition: Edition = "2025") -> FastAPI:
    """The application over ``source``; every route is a GET.

    ``/data`` moves the cursor before the first byte goes out, as the original does: a client that hangs up has used its
    batch. What reads or writes files runs in worker threads, so that ``/health`` answers while big bodies go out.
    """
    app = FastAPI(title="Class data API", description="Replica of the data API of the final project, in batches.")
    metrics = Metrics(source.batches, source.cursors)
    app.add_middleware(Measured, metrics=metrics)

    def data(group: int, day: str | None) -> Response:
        head, batch = source.take(group, day)
        metrics.handed_out(batch)
        return BatchResponse(head, batch)

    @app.get("/")
    async def root() -> dict[str, str]:
        return WELCOME

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "OK"}

    @app.get("/metrics", response_class=Response)
    def prometheus() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    if edition == "2025":

        @app.get("/data", response_class=Response)
        def data_of_day(group_number: Group, day: GroupDay) -> Response:
            return data(group_number, day)

        @app.get("/restart_data_generation")
        def restart_of_day(group_number: Group, day: GroupDay) -> dict[str, bool]:
            return source.restart(group_number, day)

    else:

        @app.get("/data", response_class=Response)
        def data_of_group(group_number: Group) -> Response:
            return data(group_number, None)

        @app.get("/restart_data_generation")
        def restart_of_group(group_number: Group) -> dict[str, bool]:
            return source.restart(group_number, None)

    return app
