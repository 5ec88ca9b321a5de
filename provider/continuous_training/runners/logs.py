"""From a task's output to log records.

Task images write ``LEVEL: message``; here a line becomes a log record of that level,
with secrets hidden.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from continuous_training.runners.base import Log

_LEVELLED = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL): ?(.*)", re.DOTALL)


HIDDEN = "***"


def to_hide(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every text that must not be logged: the secrets, and the passwords in those that are URLs; longest first."""
    texts = set()
    for secret in secrets:
        texts.add(secret)
        try:
            password = urlsplit(secret).password
        except ValueError:
            password = None
        if password:
            texts |= {password, unquote(password)}
    return tuple(sorted(texts - {""}, key=len, reverse=True))


def pass_on(line: str, log: Log, hide: Iterable[str] = ()) -> None:
    """Log one line at the level that it names; a line that names none (a library's own output) is information."""
    for text in hide:
        line = line.replace(text, HIDDEN)
    match = _LEVELLED.fullmatch(line)
    level, text = (logging.getLevelNamesMapping()[match[1]], match[2]) if match else (logging.INFO, line)
    log.log(level, "%s", text)
