"""Clients that ask at a fixed rate whatever happens, and remember every answer."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import uuid4

CONNECTIONS = 24


@dataclass
class Answered:
    """One request and what came back."""

    request_id: str
    sent: Any
    status: int
    body: Any
    seconds: float


@dataclass
class Clients:
    """``rate`` requests a second over a few keep-alive connections, in a thread of its own, until ``stop``."""

    port: int
    rate: float
    answers: list[Answered] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive(), "some requests were never answered"

    async def _run(self) -> None:
        due: asyncio.Queue[bool] = asyncio.Queue()
        askers = [asyncio.create_task(self._ask(due)) for _ in range(CONNECTIONS)]
        started, asked = time.monotonic(), 0
        while not self._stop.is_set():
            # What could not be sent in time is sent late, not left out.
            while asked < (time.monotonic() - started) * self.rate:
                due.put_nowait(True)
                asked += 1
            await asyncio.sleep(0.005)
        for _ in askers:
            due.put_nowait(False)
        await asyncio.gather(*askers)

    async def _ask(self, due: asyncio.Queue[bool]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while await due.get():
            sent, request_id = body_of(random.random()), str(uuid4())
            content = json.dumps(sent).encode()
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: {request_id}\r\nContent-Length: {len(content)}\r\n\r\n"
            started = time.monotonic()
            try:
                writer.write(head.encode() + content)
                answer = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(answer.split(b"content-length:")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
            except (OSError, asyncio.IncompleteReadError) as error:
                self.errors.append(f"{request_id}: {error!r}")
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                continue
            self.answers.append(Answered(request_id, sent, int(answer[9:12]), body, time.monotonic() - started))
        writer.close()


def body_of(chance: float) -> Any:
    """Mostly one usual home; some lists with a row that is not valid, some homes that are not, some that need Pydantic."""
    home = {
        "status": "for_sale",
        "bed": 3,
        "state": "Puerto Rico",
        "zip_code": "00601",
        "house_size": random.randint(500, 5000),
    }
    if chance < 0.05:
        return {"instances": [home, {"bed": -1}, {**home, "house_size": 777}]}
    if chance < 0.1:
        return {**home, "house_size": "large"}
    if chance < 0.2:
        return {**home, "zip_code": 601.0, "street": 5}
    return home
