"""A light closed-loop load generator in a process of its own: raw sockets, prepared requests, every answer looked at.

``python load.py PORT PATH BODIES CONNECTIONS SECONDS`` prints one JSON object. BODIES is a file of one JSON body a line; each
connection sends them in turn from a place of its own, the next as soon as the answer is there. Latencies are milliseconds.
It costs about 20 us of CPU a request, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, requests: list[bytes], start: int, until: float, warm: float, done: asyncio.Future[None]) -> None:
        self.requests = requests
        self.next = start
        self.until = until
        self.warm = warm
        self.done = done
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.buffer = b""
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.next = (self.next + 1) % len(self.requests)
        self.sent = time.perf_counter()
        self.transport.write(self.requests[self.next])

    def data_received(self, data: bytes) -> None:
        self.buffer = data if not self.buffer else self.buffer + data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.sent >= self.warm:
            self.latencies.append(now - self.sent)
        self.buffer = b""
        if now >= self.until:
            self.transport.close()
        else:
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if time.perf_counter() < self.until:
            self.statuses[0] = self.statuses.get(0, 0) + 1


async def run(port: int, path: str, bodies: list[bytes], connections: int, seconds: float) -> dict[str, object]:
    """Ask for ``seconds`` after a second of warm-up."""
    loop = asyncio.get_running_loop()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies]
    warm = time.perf_counter() + 1
    all_of_them = []
    for number in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        start = number * len(requests) // connections
        _, one = await loop.create_connection(
            lambda start=start, done=done: Connection(requests, start, warm + seconds, warm, done), "127.0.0.1", port
        )
        all_of_them.append(one)
    await asyncio.gather(*(one.done for one in all_of_them))
    latencies = sorted(latency for one in all_of_them for latency in one.latencies)
    statuses: dict[int, int] = {}
    for one in all_of_them:
        for status, count in one.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "requests": len(latencies),
        "per_second": len(latencies) / seconds,
        "p50": latencies[len(latencies) // 2] * 1000,
        "p99": latencies[int(len(latencies) * 0.99)] * 1000,
        "worst": latencies[-1] * 1000,
        "statuses": statuses,
        "client_cpu_us": time.process_time() / max(1, sum(statuses.values())) * 1e6,
    }


if __name__ == "__main__":
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        runner = asyncio.run
    lines = Path(sys.argv[3]).read_bytes().splitlines()
    print(json.dumps(runner(run(int(sys.argv[1]), sys.argv[2], lines, int(sys.argv[4]), float(sys.argv[5])))))
