"""How serving connects to PostgreSQL. Everything has an end: a database that hangs is as good as away."""

from __future__ import annotations

from typing import Any

import psycopg


def connect(url: str, name: str, statement_seconds: int, **more: Any) -> psycopg.Connection[Any]:
    """A connection in autocommit mode, shown as ``name``; no statement takes longer than ``statement_seconds``.

    ``more`` is psycopg's. Raises psycopg.OperationalError.
    """
    if not url:
        raise psycopg.OperationalError("CT_DATABASE_URL is not set")
    return psycopg.connect(
        url,
        application_name=name,
        autocommit=True,
        connect_timeout=3,
        tcp_user_timeout=1000 * (statement_seconds + 1),
        keepalives_idle=5,
        options=f"-c statement_timeout={statement_seconds}s",
        **more,
    )
