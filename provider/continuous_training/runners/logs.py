"""Task images write ``LEVEL: message``; here a line becomes a log record of that level."""

from __future__ import annotations

import logging
import re

from continuous_training.runners.base import Log

_LEVELLED = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL): ?(.*)", re.DOTALL)


def pass_on(line: str, log: Log) -> None:
    """Log one line at the level that it names; a line that names none (a library's own output) is information."""
    match = _LEVELLED.fullmatch(line)
    level, text = (logging.getLevelNamesMapping()[match[1]], match[2]) if match else (logging.INFO, line)
    log.log(level, "%s", text)
