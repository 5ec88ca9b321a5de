"""The data source as its users meet it: its own environment, its command, its address from the log."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

PYTHON = Path(__file__).resolve().parents[3] / ".envs" / "data_source" / "bin" / "python"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """One running data source."""

    def __init__(self, folder: Path, cache: Path, *options: str) -> None:
        assert PYTHON.exists(), "the environment of the data source is missing: python local/environments.py data_source"
        self.log = folder / "source.log"
        command = [str(PYTHON), "-m", "ct_data_source", "--port", "0", "--cache", str(cache), *options]
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, cwd=folder)
        self.address = ""

    def wait(self, seconds: float = 60) -> Server:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"on (http://\S+)", self.log.read_text())
            if found:
                self.address = urlsplit(found[1]).netloc
                assert self.get("/health").json == {"status": "OK"}
                return self
            time.sleep(0.05)
        raise AssertionError(f"the data source did not start:\n{self.log.read_text()}")

    def get(self, path: str, method: str = "GET", timeout: float = 30) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
        finally:
            connection.close()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture(scope="session")
def source_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source-cache")


@pytest.fixture
def start(tmp_path: Path, source_cache: Path) -> Iterator[Callable[..., Server]]:
    """Start a data source at 1 % unless told otherwise; all of a session share the rendered batches."""
    servers: list[Server] = []

    def starting(*options: str) -> Server:
        scale = () if "--scale" in options or "--listings" in options else ("--scale", "1")
        servers.append(Server(tmp_path, source_cache, *scale, *options))
        return servers[-1]

    yield starting
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, source_cache: Path) -> Iterator[Server]:
    """One data source for tests that move no cursor."""
    server = Server(tmp_path_factory.mktemp("shared-source"), source_cache, "--scale", "1").wait()
    yield server
    server.stop()
