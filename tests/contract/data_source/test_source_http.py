"""What the class data API promises on the wire, asked of the running replica."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.contract

COLUMNS = [
    "brokered_by", "status", "price", "bed", "bath", "acre_lot", "street", "city", "state", "zip_code", "house_size",
    "prev_sold_date",
]  # fmt: skip
TEXTS = {"status", "city", "state", "prev_sold_date"}
END = {"detail": "Ya se recolectó toda la información mínima necesaria"}
BAD_GROUP = {"detail": "Número de grupo inválido"}
ONE_PERCENT = [738, 946, 2304, 41, 3207, 3615]
GROUP_9 = "/data?group_number=9&day=Tuesday"

Start = Callable[..., Any]


def test_six_batches_and_the_end_2025(start: Start) -> None:
    server = start().wait()
    for number, rows in enumerate(ONE_PERCENT):
        answer = server.get(GROUP_9)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert list(answer.json) == ["group_number", "day", "batch_number", "data"]
        assert [answer.json[key] for key in ("group_number", "day", "batch_number")] == [9, "Tuesday", number]
        assert len(answer.json["data"]) == rows
        for row in answer.json["data"]:
            assert list(row) == COLUMNS
            assert all(type(value) is (str if name in TEXTS else float) for name, value in row.items())
        # What Python's json module writes for these values, byte by byte: 101640.0, 0.38, ", " and ": ".
        assert answer.body == json.dumps(answer.json, ensure_ascii=False).encode()
    for _ in range(2):
        answer = server.get(GROUP_9)
        assert (answer.status, answer.json) == (400, END)
        assert answer.body == '{"detail":"Ya se recolectó toda la información mínima necesaria"}'.encode()


def test_six_batches_and_the_end_2026(start: Start) -> None:
    server = start("--edition", "2026").wait()
    for number, rows in enumerate(ONE_PERCENT):
        answer = server.get("/data?group_number=1")
        assert answer.body.startswith(f'{{"group_number": 1, "batch_number": {number}, "data": [{{"brokered_by": '.encode())
        assert len(answer.json["data"]) == rows
    assert server.get("/data?group_number=1").json == END
    assert server.get("/data?group_number=1&day=Tuesday").json == END
    assert server.get("/restart_data_generation?group_number=1").json == {"ok": True}
    assert server.get("/data?group_number=1").json["batch_number"] == 0


def test_both_editions_and_every_replay_give_the_same_rows(start: Start) -> None:
    old, new = start().wait(), start("--edition", "2026").wait()
    first = [old.get(GROUP_9).body.split(b"[", 1)[1] for _ in range(3)]
    assert [new.get("/data?group_number=2").body.split(b"[", 1)[1] for _ in range(3)] == first
    assert old.get("/restart_data_generation?group_number=9&day=Tuesday").body == b'{"ok":true}'
    assert [old.get(GROUP_9).body.split(b"[", 1)[1] for _ in range(3)] == first


def test_compact_json(start: Start) -> None:
    server = start("--json", "compact").wait()
    answer = server.get(GROUP_9)
    assert answer.body == json.dumps(answer.json, ensure_ascii=False, separators=(",", ":")).encode()


def test_cursors_belong_to_a_group_and_a_day(start: Start) -> None:
    server = start().wait()
    asked = [(1, "Tuesday"), (1, "Tuesday"), (1, "Wednesday"), (2, "Tuesday"), (1, "Tuesday")]
    numbers = [server.get(f"/data?group_number={group}&day={day}").json["batch_number"] for group, day in asked]
    assert numbers == [0, 1, 0, 0, 2]
    server.get("/restart_data_generation?group_number=1&day=Tuesday")
    numbers = [server.get(f"/data?group_number={group}&day={day}").json["batch_number"] for group, day in asked[1:4]]
    assert numbers == [0, 1, 1]


@pytest.mark.parametrize("route", ["/data", "/restart_data_generation"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("group_number=11&day=Tuesday", 400),
        ("group_number=0&day=Tuesday", 400),
        ("group_number=-1&day=Wednesday", 400),
        ("day=Tuesday", ("group_number", "missing")),
        ("group_number=9", ("day", "missing")),
        ("group_number=x&day=Tuesday", ("group_number", "int_parsing")),
        ("group_number=1.5&day=Tuesday", ("group_number", "int_parsing")),
        ("group_number=&day=Tuesday", ("group_number", "int_parsing")),
        ("group_number=9&day=Monday", ("day", "literal_error")),
        ("group_number=9&day=tuesday", ("day", "literal_error")),
    ],
)
def test_refusals(shared: Any, route: str, query: str, expected: int | tuple[str, str]) -> None:
    answer = shared.get(f"{route}?{query}")
    if isinstance(expected, int):
        assert answer.status == expected
        assert answer.body == '{"detail":"Número de grupo inválido"}'.encode()
    else:
        assert answer.status == 422
        (detail,) = answer.json["detail"]
        assert (detail["loc"][0], detail["loc"][1], detail["type"]) == ("query", *expected)
        assert {"type", "loc", "msg", "input"} <= set(detail)
    # A refusal moves no cursor.
    assert shared.get("/metrics").body.count(b"data_source_batches_total{batch_number=") == 0


def test_other_methods_and_paths(shared: Any) -> None:
    assert shared.get(GROUP_9, "POST").status == 405
    assert shared.get("/restart_data_generation?group_number=9&day=Tuesday", "POST").status == 405
    assert shared.get("/nothing").json == {"detail": "Not Found"}


def test_the_small_routes(shared: Any) -> None:
    assert shared.get("/").body == '{"Proyecto Final":"Extracción de datos, entrenamiento de modelos."}'.encode()
    assert shared.get("/health").body == b'{"status":"OK"}'
    assert shared.get("/docs").status == 200
    paths = shared.get("/openapi.json").json["paths"]
    assert set(paths) == {"/", "/health", "/metrics", "/data", "/restart_data_generation"}
    assert all(list(methods) == ["get"] for methods in paths.values())


def test_metrics_count_what_happened(start: Start) -> None:
    server = start().wait()
    server.get(GROUP_9)
    server.get("/data?group_number=99&day=Tuesday")
    server.get("/nothing")
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.body.decode().splitlines()
    assert 'http_requests_total{handler="/data",method="GET",status="200"} 1.0' in lines
    assert 'http_requests_total{handler="/data",method="GET",status="400"} 1.0' in lines
    assert 'http_requests_total{handler="none",method="GET",status="404"} 1.0' in lines
    assert 'data_source_batches_total{batch_number="0"} 1.0' in lines
    assert 'data_source_batch_rows{batch_number="5"} 3615.0' in lines


def test_groups_can_be_chosen(start: Start) -> None:
    server = start("--groups", "3-4", "--edition", "2026").wait()
    found = [server.get(f"/data?group_number={group}").status for group in (2, 3, 4, 5)]
    assert found == [400, 200, 200, 400]
    assert server.get("/data?group_number=2").json == BAD_GROUP


def test_a_cursor_file_outlives_the_process(start: Start, tmp_path: Path) -> None:
    options = ("--state", str(tmp_path / "state" / "cursors.json"))
    server = start(*options).wait()
    assert [server.get(GROUP_9).json["batch_number"] for _ in range(2)] == [0, 1]
    server.process.kill()
    server.process.wait()
    server = start(*options).wait()
    assert server.get(GROUP_9).json["batch_number"] == 2
    assert server.stop() == 0
    assert start().wait().get(GROUP_9).json["batch_number"] == 0


def test_clients_at_once_share_the_batches_of_their_group(start: Start) -> None:
    server = start().wait()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: server.get(GROUP_9), range(10)))
    assert sorted(answer.json["batch_number"] for answer in answers if answer.status == 200) == list(range(6))
    assert [answer.json for answer in answers if answer.status != 200] == [END] * 4


def test_health_answers_while_clients_stall_and_a_hang_up_uses_the_batch(start: Start) -> None:
    server = start("--scale", "10").wait()
    host, port = server.address.split(":")
    stalled = []
    for _ in range(6):
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET {GROUP_9} HTTP/1.1\r\nHost: source\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        stalled.append(connection)
    assert server.get("/health", timeout=10).json == {"status": "OK"}
    for connection in stalled:
        connection.close()
    assert server.get(GROUP_9).json == END
    assert server.get("/restart_data_generation?group_number=9&day=Tuesday").json == {"ok": True}
    assert len(server.get(GROUP_9).json["data"]) == 7378


def test_a_connection_serves_several_requests(shared: Any) -> None:
    connection = http.client.HTTPConnection(shared.address, timeout=30)
    for _ in range(3):
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b'{"status":"OK"}'
    connection.close()
