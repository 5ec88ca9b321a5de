"""The embedded PostgreSQL in awkward places."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from local.postgres import PostgresError, PostgresServer, find_binaries, free_port, new_password

pytestmark = pytest.mark.integration


@pytest.fixture
def directory():
    made = Path(tempfile.mkdtemp(prefix="ct-postgres-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database runs under another account")
def test_binaries_below_a_closed_home_are_copied_with_their_libraries(directory):
    original = find_binaries()
    package = original.parent.parent
    closed = directory / "home"
    for part in (original.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, closed / part.relative_to(package.parent), symlinks=True)
    closed.chmod(0o700)
    server = PostgresServer(directory / "server", free_port(), new_password())
    server.binaries = closed / original.relative_to(package.parent)
    server.initialise()
    assert server.binaries.is_relative_to(directory / "server")
    server.start()
    try:
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()


def test_an_initdb_that_was_killed_is_done_again(directory):
    server = PostgresServer(directory / "server", free_port(), new_password())
    (server.data / "base").mkdir(parents=True)
    (server.data / "base" / "left").write_text("half")
    server.initialise()
    assert (server.data / "PG_VERSION").exists()
    before = (server.data / "global" / "pg_control").read_bytes()
    server.initialise()
    assert (server.data / "global" / "pg_control").read_bytes() == before


def test_a_taken_port_is_told_in_the_server_s_words(directory):
    first = PostgresServer(directory / "first", free_port(), new_password())
    first.initialise()
    first.start()
    try:
        second = PostgresServer(directory / "second", first.port, new_password())
        second.initialise()
        with pytest.raises(PostgresError, match="could not start server"):
            second.start()
    finally:
        first.stop()
