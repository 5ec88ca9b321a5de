"""Log lines as JSON, one object a line, each with the request that it belongs to."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

logger = logging.getLogger(__name__)

REQUEST: ContextVar[tuple[UUID, str | None] | None] = ContextVar("request", default=None)
"""Id and client of the request that is being answered."""

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object a line: ``time`` (UTC, ISO 8601), ``level``, ``logger``, ``message``.

    Where there are some, also ``request_id``, ``client``, ``exception`` and what was given as ``extra={"fields": {...}}``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = REQUEST.get()
        if request is not None:
            line["request_id"], line["client"] = str(request[0]), request[1]
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(log_format: str) -> None:
    """Send everything from INFO on to stderr, as ``json`` or ``text``."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(TEXT_FORMAT) if log_format == "text" else JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Libraries warn on stderr; a line that is no JSON would break who reads the log.
    logging.captureWarnings(True)


def log_access(method: str, handler: str, status: int, seconds: float) -> None:
    """A line for one request; ``handler`` is the path of its route."""
    fields = {"method": method, "handler": handler, "status": status, "seconds": round(seconds, 6)}
    logger.info("%s %s %d", method, handler, status, extra={"fields": fields})
