"""Connections to the project's database."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import psycopg
from ct_contract import ContractError, TryLaterError
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

URL_VARIABLE = "CT_DATABASE_URL"
NAME_VARIABLE = "CT_DATABASE_NAME"

Connection = psycopg.Connection[dict[str, Any]]


def database_url() -> str:
    """What ``CT_DATABASE_URL`` says, with the database that ``CT_DATABASE_NAME`` names, if it is set.

    Raises ContractError if no URL is set.
    """
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        raise ContractError(f"no database: set {URL_VARIABLE} to a URL like postgresql://user:password@host:5432/name")
    name = os.environ.get(NAME_VARIABLE, "")
    return with_database(url, name) if name else url


def with_database(url: str, name: str) -> str:
    """The same server, user and options with another database; a URL stays a URL."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return make_conninfo(url, dbname=name)
    # Cut by hand: urlsplit would take a # or a list of hosts for something else than libpq does.
    place, _, query = rest.partition("?")
    options = "&".join(option for option in query.split("&") if option and not option.startswith("dbname="))
    return f"{scheme}://{place.partition('/')[0]}/{quote(name, safe='')}" + (f"?{options}" if options else "")


def connect(application: str, url: str | None = None) -> Connection:
    """Open a connection whose rows are dictionaries.

    ``url`` (or `database_url`) is a libpq URL. ``application`` is the name that PostgreSQL shows for the session.
    Leaving the connection's ``with`` block commits; an exception rolls back. Raises TryLaterError if PostgreSQL is
    away, ContractError if no URL is set.
    """
    address = url or database_url()
    try:
        return psycopg.connect(address, application_name=application, row_factory=dict_row, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise TryLaterError("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}. Nothing was changed.") from error
