"""Fixtures that every kind of test shares: one real PostgreSQL a session, one migrated database a test that asks."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from local.postgres import PostgresServer, free_port, new_password  # noqa: E402

ENVIRONMENTS = ROOT / ".envs"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL for this test session; durability is off, correctness is not."""
    directory = Path(tempfile.mkdtemp(prefix="ct-postgres-"))
    directory.chmod(0o755)
    server = PostgresServer(
        directory / "server",
        free_port(),
        new_password(),
        {"fsync": "off", "synchronous_commit": "off", "max_connections": "200", "shared_buffers": "128MB"},
    )
    server.initialise()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with the newest schema, to be copied."""
    from ct_store.migrate import migrate

    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ct_template")
    migrate(postgres_server.url("ct_template"))
    return "ct_template"


@pytest.fixture
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The URL of an empty database of the newest schema, this test's own; the user owns everything."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield postgres_server.url(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pipeline_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of the tasks and no others."""
    return _as_member(postgres_server, database_url, "ct_pipeline")


@pytest.fixture
def serving_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of serving and no others."""
    return _as_member(postgres_server, database_url, "ct_serving")


@pytest.fixture
def dashboard_url(postgres_server: PostgresServer, database_url: str) -> str:
    """The same database as a user who has the rights of the dashboard and no others."""
    return _as_member(postgres_server, database_url, "ct_dashboard")


def _as_member(server: PostgresServer, database_url: str, role: str) -> str:
    user = f"test_{role}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone():
            connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'test' IN ROLE {role}")
    return server.url(database_url.rsplit("/", 1)[1], user, "test")
