"""Bring a server to what the system needs: databases, owners, tables, users: ``python -m ct_store.setup``.

Safe to run at every deployment: what is there stays, passwords become those of the environment. CT_ADMIN_DATABASE_URL is a
superuser's URL; each of ``PASSWORDS`` comes as ``CT_PASSWORD_<NAME>``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from urllib.parse import quote

import psycopg
from psycopg import sql

from ct_store.connection import with_database
from ct_store.migrate import migrate

ADMIN_VARIABLE = "CT_ADMIN_DATABASE_URL"
PASSWORD_PREFIX = "CT_PASSWORD_"  # noqa: S105 - a variable's name
DATABASE = "continuous_training"

OWNERS = {DATABASE: ("ct_owner", "owner"), "mlflow": ("mlflow", "mlflow_database"), "airflow": ("airflow", "airflow_database")}
"""Database -> the user who owns it and the name of that user's password."""

MEMBERS = {
    "pipeline": ("ct_pipeline",),
    "serving": ("ct_serving",),
    "dashboard": ("ct_dashboard",),
    "exporter": ("ct_dashboard", "pg_monitor"),
}
"""User (and name of the password) -> the roles that hold the rights."""

PASSWORDS = (*(name for _, name in OWNERS.values()), *MEMBERS)


def set_up(administrator: str, passwords: Mapping[str, str]) -> None:
    """Databases with owners, the newest schema, users in their roles.

    ``administrator`` is a superuser's libpq URL, ``passwords`` has one for each of ``PASSWORDS``. Raises psycopg.Error for
    what the server refuses; then everything up to there is done, and another call goes on.
    """
    with psycopg.connect(administrator, autocommit=True, application_name="ct_setup") as connection:
        for database, (owner, password) in OWNERS.items():
            _user(connection, owner, passwords[password])
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
                # PostgreSQL 16 lets an administrator who is no superuser give to members only.
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
            connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        # The migrations create the roles that hold the rights; scratch copies are databases.
        connection.execute("ALTER ROLE ct_owner CREATEROLE CREATEDB")
    migrate(_as(with_database(administrator, DATABASE), "ct_owner", passwords["owner"]))
    with psycopg.connect(administrator, autocommit=True, application_name="ct_setup") as connection:
        for user, roles in MEMBERS.items():
            _user(connection, user, passwords[user])
            for role in roles:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(user)))
            connection.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(DATABASE), sql.Identifier(user))
            )


def wait(administrator: str, seconds: float) -> None:
    """Return when the server takes connections. Raises psycopg.OperationalError with its last words after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(administrator, connect_timeout=10).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
        else:
            return


def main() -> int:
    """Set the server up that the environment names."""
    environment = {name: os.environ.get(f"{PASSWORD_PREFIX}{name.upper()}", "") for name in PASSWORDS}
    administrator = os.environ.get(ADMIN_VARIABLE, "")
    missing = [f"{PASSWORD_PREFIX}{name.upper()}" for name, value in environment.items() if not value]
    if not administrator:
        missing.insert(0, ADMIN_VARIABLE)
    if missing:
        print(f"nothing was changed: set {', '.join(missing)}", file=sys.stderr)
        return 2
    wait(administrator, 300)
    set_up(administrator, environment)
    print(f"databases {', '.join(OWNERS)}; users {', '.join(MEMBERS)}: as they should be")
    return 0


def _user(connection: psycopg.Connection, name: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    verb = sql.SQL("ALTER" if exists else "CREATE")
    connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(name), sql.Literal(password)))


def _as(url: str, user: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest.rpartition('@')[2]}"


if __name__ == "__main__":
    raise SystemExit(main())
