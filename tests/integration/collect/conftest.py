"""A data source that plays a script, and the collect step as a function of it."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from ct_collect.step import collect
from ct_contract import StepError, TaskInput
from psycopg.rows import dict_row

END = "Ya se recolectó toda la información mínima necesaria"


def listing(**changes: Any) -> dict[str, Any]:
    row = {
        "brokered_by": 101640.0, "status": "for_sale", "price": 289900.0, "bed": 4.0, "bath": 2.0, "acre_lot": 0.38,
        "street": 1758218.0, "city": "East Windsor", "state": "Connecticut", "zip_code": 6016.0, "house_size": 1617.0,
        "prev_sold_date": "1999-09-30",
    }  # fmt: skip
    return {name: value for name, value in {**row, **changes}.items() if value is not ...}


def batch(number: int, rows: list[Any] | None = None, **envelope: Any) -> bytes:
    data = [listing(street=float(1000 * number + i)) for i in range(3 + number)] if rows is None else rows
    return json.dumps({"group_number": 9, "day": "Tuesday", "batch_number": number, **envelope, "data": data}).encode()


@dataclass
class Answer:
    """One answer of the scripted source; ``cut`` bytes of the body are sent before the connection dies."""

    body: bytes
    status: int = 200
    cut: int | None = None
    delay: float = 0.0
    moves: bool = True
    framing: str = "length"


@dataclass
class ScriptedSource:
    """Batches in order behind a cursor that every answer moves; ``script`` holds answers that come instead, first.

    With ``hold`` the next answer stops after that share of its body (0 is before its head), sets ``held`` and waits for
    ``release``.
    """

    batches: list[bytes]
    script: list[Answer] = field(default_factory=list)
    restart_status: int = 200
    cursor: int = 0
    asked: list[str] = field(default_factory=list)
    port: int = 0
    hold: float | None = None
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str) -> Answer:
        address = urlsplit(path)
        self.asked.append(address.path)
        if address.path == "/restart_data_generation":
            if self.restart_status == 200:
                self.cursor = 0
            return Answer(b'{"ok":true}', self.restart_status)
        if parse_qs(address.query)["group_number"] != ["9"]:
            return Answer(json.dumps({"detail": "Número de grupo inválido"}).encode(), 400)
        if self.script:
            scripted = self.script.pop(0)
            self.cursor += scripted.moves
            return scripted
        if self.cursor >= len(self.batches):
            return Answer(json.dumps({"detail": END}).encode(), 400)
        self.cursor += 1
        return Answer(self.batches[self.cursor - 1])

    def wait(self) -> None:
        self.held.set()
        self.release.wait(30)

    @property
    def requests(self) -> int:
        return self.asked.count("/data")


@pytest.fixture
def answer() -> type[Answer]:
    return Answer


@pytest.fixture
def make_batch():
    return batch


@pytest.fixture
def source() -> Iterator[ScriptedSource]:
    scripted = ScriptedSource([batch(number) for number in range(4)])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = scripted.answer(self.path)
            time.sleep(answer.delay)
            hold, scripted.hold = scripted.hold, None
            if hold == 0:
                scripted.wait()
            body = answer.body if answer.cut is None else answer.body[: answer.cut]
            self.send_response(answer.status)
            if answer.framing == "length":
                self.send_header("Content-Length", str(len(answer.body)))
            elif answer.framing == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
                body += b"" if answer.cut is not None else b"0\r\n\r\n"
            self.end_headers()
            if hold:
                sent = min(int(hold * len(body)), len(body) - 1)
                self.wfile.write(body[:sent])
                scripted.wait()
                body = body[sent:]
            self.wfile.write(body)
            self.close_connection = answer.cut is not None or answer.framing == "close"
            if answer.framing == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # the client has left, or the script has reset the connection
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield scripted
    server.shutdown()
    server.server_close()
    thread.join()


class Store:
    """The database as tests look at it, with the owner's rights."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def numbers(self) -> list[int]:
        """Of the stored batches, having checked that RAW has exactly their rows."""
        batches = self.rows("SELECT * FROM raw.batches ORDER BY batch_number")
        counted = self.rows(
            "SELECT batch_id, count(*), min(row_number), max(row_number) FROM raw.listings GROUP BY 1 ORDER BY 1"
        )
        expected = [{"batch_id": b["batch_id"], "count": b["row_count"], "min": 1, "max": b["row_count"]} for b in batches]
        assert counted == sorted(expected, key=lambda row: row["batch_id"])
        return [b["batch_number"] for b in batches]

    def outcomes(self) -> list[str]:
        return [r["outcome"] for r in self.rows("SELECT outcome FROM raw.requests ORDER BY request_id")]

    def decisions(self) -> list[tuple[str, str]]:
        rows = self.rows("SELECT run_id, kind, outcome, code FROM audit.decisions ORDER BY decided_at")
        assert all((row["kind"], row["outcome"]) == ("intake", "skip") for row in rows)
        return [(row["run_id"], row["code"]) for row in rows]


@pytest.fixture
def store(database_url: str) -> Store:
    return Store(database_url)


@pytest.fixture
def inputs(source: ScriptedSource) -> dict[str, Any]:
    return {"source_url": source.url, "group_number": 9, "day": "Tuesday"}


@pytest.fixture
def run(pipeline_url: str, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """Collect for a run, as a task with least rights; a StepError is returned, not raised."""
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)

    def collect_once(run_id: str, **changes: Any) -> Any:
        values = {name: value for name, value in {**inputs, **changes}.items() if value is not ...}
        try:
            return collect(TaskInput(task="collect", dag_id="training", run_id=run_id, inputs=values))
        except StepError as error:
            return error

    return collect_once
