"""A bare server becomes what the system needs, and stays it when asked again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from ct_store.connection import with_database
from ct_store.setup import DATABASE, MEMBERS, OWNERS, PASSWORDS, set_up

from local.postgres import PostgresServer, free_port, new_password

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL of its own: this test makes users and databases by their real names."""
    import shutil
    import tempfile

    directory = Path(tempfile.mkdtemp(prefix="ct-setup-"))
    directory.chmod(0o755)
    server = PostgresServer(directory / "server", free_port(), new_password(), {"fsync": "off", "shared_buffers": "32MB"})
    server.initialise()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def passwords(server):
    """The passwords that the server was set up with, twice."""
    first = {name: new_password() for name in PASSWORDS}
    set_up(server.url(), first)
    second = {name: new_password() for name in PASSWORDS}
    set_up(server.url(), second)
    return second


def url(server, user, password, database=DATABASE):
    scheme, _, rest = server.url().partition("://")
    return with_database(f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}", database)


def test_every_database_has_its_owner_and_nobody_else_may_connect(server, passwords):
    with psycopg.connect(server.url()) as connection:
        owners = dict(connection.execute("SELECT datname, pg_get_userbyid(datdba) FROM pg_database").fetchall())
    assert {name: owners[name] for name in OWNERS} == {name: owner for name, (owner, _) in OWNERS.items()}
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url(server, "mlflow", passwords["mlflow_database"], "airflow"))


def test_passwords_are_those_of_the_last_time(server, passwords):
    for user in MEMBERS:
        with psycopg.connect(url(server, user, passwords[user])) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (user,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url(server, "serving", "another"))


def test_members_have_their_rights_and_no_others(server, passwords):
    with psycopg.connect(url(server, "dashboard", passwords["dashboard"]), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM audit.history").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM raw.batches")
    with (
        psycopg.connect(url(server, "serving", passwords["serving"]), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM raw.inferences")


def test_the_owner_may_make_scratch_copies(server, passwords):
    with psycopg.connect(url(server, "ct_owner", passwords["owner"]), autocommit=True) as connection:
        connection.execute("CREATE DATABASE scratch_copy")
        connection.execute("DROP DATABASE scratch_copy")


def test_one_machine_has_the_same_databases_and_users():
    from local import databases

    assert databases.OWNERS == OWNERS
    assert {user: (role,) for user, role in databases.MEMBERS.items()}.items() <= MEMBERS.items()


def test_without_its_settings_it_changes_nothing_and_names_them():
    done = subprocess.run(
        [sys.executable, "-m", "ct_store.setup"], env={"CT_PASSWORD_OWNER": "x"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing was changed: set CT_ADMIN_DATABASE_URL, CT_PASSWORD_MLFLOW_DATABASE" in done.stderr
    assert "CT_PASSWORD_OWNER" not in done.stderr
