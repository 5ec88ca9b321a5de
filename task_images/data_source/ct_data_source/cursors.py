"""Which batch comes next for whom: one cursor per group and day, in memory or kept in a file."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path


class CursorFileError(RuntimeError):
    """The cursor file cannot be used; nothing was changed in it."""


class Cursors:
    """Cursors that survive a restart when a file is given. Safe for use from several threads of one process."""

    def __init__(self, batches: int, file: Path | None = None) -> None:
        """``batches`` is the length of the stream. Raises CursorFileError if the file exists and is not a cursor file."""
        self._batches = batches
        self._file = file
        self._lock = threading.Lock()
        self._next = _read(file) if file is not None else {}
        if file is not None:
            self._keep(self._next)

    def take(self, group: int, day: str | None) -> int | None:
        """The number of the batch to hand out now, and move on; None at the end, where the cursor stays."""
        key = _key(group, day)
        with self._lock:
            number = self._next.get(key, 0)
            if number >= self._batches:
                return None
            self._set({**self._next, key: number + 1})
            return number

    def restart(self, group: int, day: str | None) -> None:
        """Begin again at batch 0 for this group and day only."""
        with self._lock:
            self._set({**self._next, _key(group, day): 0})

    def positions(self) -> dict[str, int]:
        """The next batch number by ``group`` or ``group/day``."""
        with self._lock:
            return dict(self._next)

    def _set(self, values: dict[str, int]) -> None:
        if self._file is not None:
            self._keep(values)
        self._next = values

    def _keep(self, values: dict[str, int]) -> None:
        assert self._file is not None
        temporary = None
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(values, stream, sort_keys=True)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self._file)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise CursorFileError(
                f"the cursors could not be written to {self._file} ({error}); no cursor moved. Make the folder writable or "
                "choose another file with --state"
            ) from error


def _key(group: int, day: str | None) -> str:
    return str(group) if day is None else f"{group}/{day}"


def _read(file: Path) -> dict[str, int]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise CursorFileError(f"the cursor file {file} cannot be read ({error}); choose another file with --state") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise CursorFileError(f"{file} is not a cursor file ({error}); delete it to begin at batch 0") from error
    if not isinstance(values, dict) or not all(type(value) is int and value >= 0 for value in values.values()):
        raise CursorFileError(f"{file} is not a cursor file (no object of batch numbers); delete it to begin at batch 0")
    return values
