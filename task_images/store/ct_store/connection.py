"""Connections to the project's database."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from ct_contract import ContractError, TryLaterError
from psycopg.rows import dict_row

URL_VARIABLE = "CT_DATABASE_URL"

Connection = psycopg.Connection[dict[str, Any]]


def connect(application: str, url: str | None = None) -> Connection:
    """Open a connection whose rows are dictionaries.

    ``url`` (or ``CT_DATABASE_URL``) is a libpq URL. ``application`` is the name that PostgreSQL shows for the session.
    Leaving the connection's ``with`` block commits; an exception rolls back. Raises TryLaterError if PostgreSQL is
    away, ContractError if no URL is set.
    """
    address = url or os.environ.get(URL_VARIABLE, "")
    if not address:
        raise ContractError(f"no database: set {URL_VARIABLE} to a URL like postgresql://user:password@host:5432/name")
    try:
        return psycopg.connect(address, application_name=application, row_factory=dict_row, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise TryLaterError("DATABASE_UNAVAILABLE", f"PostgreSQL does not answer: {error}. Nothing was changed.") from error
