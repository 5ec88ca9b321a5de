"""The databases of the stack, their owners and the users with few rights: made at the first start, repaired at the next."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg import sql

DATABASE = "continuous_training"

OWNERS = {DATABASE: ("ct_owner", "owner"), "mlflow": ("mlflow", "mlflow_database"), "airflow": ("airflow", "airflow_database")}
"""Database -> the user who owns it and the name of that user's password."""

MEMBERS = {"pipeline": "ct_pipeline", "serving": "ct_serving", "dashboard": "ct_dashboard"}
"""User (and name of the password) -> the role that holds the rights."""


def create_owners(passwords: Mapping[str, str], administrator: str) -> None:
    """Every database with an owner of its own; nobody else may connect.

    ``passwords`` has one for each name in ``OWNERS``; ``administrator`` is a superuser's URL.
    """
    with psycopg.connect(administrator, autocommit=True) as connection:
        for database, (owner, secret) in OWNERS.items():
            _user(connection, owner, passwords[secret])
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
            connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        # The project's migrations create the three roles that hold the rights; scratch copies are databases.
        connection.execute("ALTER ROLE ct_owner CREATEROLE CREATEDB")


def create_members(passwords: Mapping[str, str], administrator: str) -> None:
    """The users that tasks, serving and dashboard log in as, each in its one role; the roles must exist (migrations)."""
    with psycopg.connect(administrator, autocommit=True) as connection:
        for user, role in MEMBERS.items():
            _user(connection, user, passwords[user])
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(user)))
            connection.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(DATABASE), sql.Identifier(user))
            )


def _user(connection: psycopg.Connection, name: str, password: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    verb = sql.SQL("ALTER" if exists else "CREATE")
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(name), sql.Literal(password)),
    )
