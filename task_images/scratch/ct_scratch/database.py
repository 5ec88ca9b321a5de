"""The copy's database: made, filled, handed to the pipeline's user, removed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from ct_contract import BadDataError, ContractError, TryLaterError
from ct_store.connection import Connection, connect, with_database
from ct_store.migrate import migrate
from psycopg import sql

from ct_scratch.moment import Moment
from ct_scratch.names import Names
from ct_scratch.tables import copy_tables

log = logging.getLogger(__name__)

ADMIN_VARIABLE = "CT_ADMIN_DATABASE_URL"

COPY_LOCKS = 7_223_117
"""First key of the advisory locks that keep two makers of one copy apart."""

MARK = "Scratch copy of the continuous training pipeline"
"""How the comment on a copy's database begins."""


def admin_url() -> str:
    """The libpq URL of a role that may create databases. Raises ContractError if none is set."""
    url = os.environ.get(ADMIN_VARIABLE, "")
    if "://" not in url:
        raise ContractError(
            f"nobody to make databases: set {ADMIN_VARIABLE} to the URL of a role with CREATEDB, connected to any database of "
            "the server that is not the copy, such as postgresql://user:password@host:5432/postgres"
        )
    return url


@contextmanager
def administration(names: Names) -> Iterator[Connection]:
    """A connection that may create databases and holds the copy's lock; each statement commits by itself.

    Raises TryLaterError if another task is at work on the same copy.
    """
    with connect("scratch", admin_url()) as connection:
        connection.autocommit = True
        # The lock belongs to the session, so that a killed maker gives it back.
        connection.execute("SET lock_timeout = '60s'")
        try:
            connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (COPY_LOCKS, names.database))
        except psycopg.errors.LockNotAvailable as error:
            raise TryLaterError(
                "SCRATCH_BUSY", f"another task is making or dropping the copy {names.name}; nothing was changed"
            ) from error
        yield connection


def create_database(admin: Connection, source: Connection, names: Names, moment: Moment) -> dict[str, int]:
    """Create the copy and fill it with what the source held at the moment; the rows of each table.

    ``source`` is in the transaction whose snapshot is copied. The copy belongs to the administrator's role; besides it
    only the source's user and the pipeline's role may connect.
    """
    locale = source.execute(
        "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, current_user AS member "
        "FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    if locale is None:
        raise RuntimeError("PostgreSQL does not know the database that it is connected to")
    database = sql.Identifier(names.database)
    # template0: nobody is ever connected to it, and it takes the source's order of letters.
    try:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
                database, locale["encoding"], locale["datcollate"], locale["datctype"]
            )
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise ContractError(
            f"the role of {ADMIN_VARIABLE} may not create databases: ALTER ROLE {admin.info.user} CREATEDB"
        ) from error
    comment = f"{MARK}: {source.info.dbname} before {moment.task} of run {moment.run_id} of DAG {moment.dag_id}."
    admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, comment))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    url = with_database(admin_url(), names.database)
    migrate(url)
    log.info("database %s created", names.database)
    with connect("scratch", url) as copy:
        rows = copy_tables(source, copy, moment, real_model=names.real_model, model=names.model)
        copy.execute(
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO ct_pipeline, {}").format(
                database, sql.Identifier(locale["member"])
            )
        )
    return rows


def drop_database(admin: Connection, names: Names) -> bool:
    """Remove the copy's database with whoever is connected to it; whether there was one.

    Raises BadDataError (NOT_A_SCRATCH) if it is not a copy, TryLaterError if a session of another user may not be ended.
    """
    found = admin.execute(
        "SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = %s", (names.database,)
    ).fetchone()
    if found is None:
        return False
    if not str(found["comment"] or "").startswith(MARK) and not _is_empty(names):
        raise BadDataError(
            "NOT_A_SCRATCH",
            f"the database {names.database} holds tables and no comment that says it is a scratch copy. It was left alone: "
            "choose another name for the copy.",
        )
    try:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(names.database)))
    except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege) as error:
        raise TryLaterError(
            "SCRATCH_BUSY",
            f"the database {names.database} could not be dropped: {error}. End the step that is connected to it, or grant the "
            f"role of {ADMIN_VARIABLE} pg_signal_backend, and drop it again.",
        ) from error
    return True


def _is_empty(names: Names) -> bool:
    """A maker that was killed before it left its comment has made no table yet."""
    with connect("scratch", with_database(admin_url(), names.database)) as connection:
        table = "SELECT FROM pg_class WHERE relkind = 'r' AND relnamespace NOT IN "
        system = "(SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema') LIMIT 1"
        return connection.execute((table + system).encode()).fetchone() is None
