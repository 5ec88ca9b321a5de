from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from ct_serving.hot_route import HotRoute
from ct_serving.metrics import Metrics
from ct_serving.predicting import Answer
from ct_serving.schemas import MAX_BODY_BYTES

pytestmark = pytest.mark.unit


@dataclass
class Admission:
    client: str | None = None
    refused: bool = False
    http_status: int = 200
    detail: tuple[dict[str, Any], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Work:
    """Answers with what it was asked; a body of "error" is an error."""

    async def answer(self, request_id: UUID, body: bytes, client: str | None) -> Answer:
        if body == b"error":
            raise RuntimeError("unforeseen")
        return Answer(200, json.dumps([str(request_id), body.decode(), client]).encode(), [(b"x-more", b"1")])

    async def refuse(self, request_id: UUID, client: str | None, error: Any) -> Answer:
        return Answer(413, json.dumps(error.detail).encode())


class World:
    def __init__(self, check: Any = None) -> None:
        self.metrics = Metrics()
        self.handed_on: list[str] = []
        self.route = HotRoute(self.other, Work(), self.metrics, check)

    async def other(self, scope, receive, send) -> None:
        self.handed_on.append(f"{scope['method']} {scope['path']}")

    def ask(self, *chunks: bytes, method="POST", path="/predict", headers=(), whole=True) -> list[dict[str, Any]]:
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        if whole:
            messages[-1]["more_body"] = False
        messages.append({"type": "http.disconnect"})
        sent: list[dict[str, Any]] = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "client": ("1.2.3.4", 5)}
        asyncio.run(self.route(scope, receive, send))
        return sent

    def count(self, status: int) -> float | None:
        labels = {"handler": "/predict", "method": "POST", "status": str(status)}
        return self.metrics.registry.get_sample_value("http_requests_total", labels)


def test_only_predictions_are_answered_here():
    world = World()
    for method, path in (("GET", "/predict"), ("POST", "/predict/"), ("POST", "/explain"), ("OPTIONS", "/predict")):
        assert world.ask(b"{}", method=method, path=path) == []
    assert world.handed_on == ["GET /predict", "POST /predict/", "POST /explain", "OPTIONS /predict"]


def test_a_body_in_pieces_is_answered_once_with_its_id_and_counted():
    world, mine = World(), str(uuid4())
    start, body = world.ask(b"{", b"}", headers=[(b"x-request-id", mine.encode())])
    assert json.loads(body["body"]) == [mine, "{}", "1.2.3.4"]
    assert dict(start["headers"]) == {
        b"content-type": b"application/json", b"content-length": str(len(body["body"])).encode(),
        b"x-request-id": mine.encode(), b"x-more": b"1",
    }  # fmt: skip
    assert world.count(200) == 1


def test_what_goes_wrong_is_an_answer_too():
    world = World()
    start, body = world.ask(b"error")
    assert start["status"] == 500
    assert json.loads(body["body"])["detail"][0]["field"] == "server"
    assert world.ask(b"x" * MAX_BODY_BYTES, b"x", b"never read")[0]["status"] == 413
    assert world.ask(b"{", whole=False) == []
    assert [world.count(status) for status in (500, 413, 499)] == [1, 1, 1]


def test_the_check_refuses_before_the_body_is_read_and_names_the_client():
    refused = Admission("ada", True, 429, ({"field": "key"},), (("Retry-After", "3"),))
    start, body = World(lambda path, headers: refused).ask(b"error")
    assert start["status"] == 429
    assert dict(start["headers"])[b"retry-after"] == b"3"
    assert json.loads(body["body"])["detail"] == [{"field": "key"}]
    _, body = World(lambda path, headers: Admission("ada")).ask(b"{}")
    assert json.loads(body["body"])[2] == "ada"
