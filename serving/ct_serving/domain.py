"""What a model has seen, and what is unusual in an input. Unusual is a warning with the price, never an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ct_serving.schemas import FIELDS, Property
from ct_serving.usual import Values, values_of

logger = logging.getLogger(__name__)

FILE_NAME = "domain.json"

USUAL: Mapping[str, tuple[float, float]] = {
    "bed": (0, 20),
    "bath": (0, 20),
    "acre_lot": (0, 1000),
    "house_size": (200, 20_000),
}
"""The ranges that training keeps to (product-features 6.3), for a model that does not bring its own."""

STATUSES = frozenset({"for_sale", "sold", "ready_to_build"})
# Without these a price is little more than an average.
_WANTED = ("state", "zip_code", "house_size")
_SILENT = frozenset({"street", "price", "id", *FIELDS})


@dataclass(frozen=True)
class Domain:
    """The values and ranges of a model's training rows."""

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=lambda: dict(USUAL))
    _sets: tuple[tuple[int, frozenset[str]], ...] = field(init=False, repr=False, compare=False)
    _ranges: tuple[tuple[int, float, float], ...] = field(init=False, repr=False, compare=False)
    _wanted: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay out what ``is_usual`` asks by the positions of `Values`; a frozen value may still keep what follows from it."""
        known = {"status": STATUSES, **self.known}
        object.__setattr__(self, "_sets", tuple((FIELDS.index(name), values) for name, values in known.items()))
        object.__setattr__(self, "_ranges", tuple((FIELDS.index(name), *limits) for name, limits in self.ranges.items()))
        object.__setattr__(self, "_wanted", tuple(FIELDS.index(name) for name in _WANTED))

    def is_usual(self, values: Values) -> bool:
        """Whether a row of known fields has no warnings; much faster than to list them."""
        for position in self._wanted:
            if values[position] is None:
                return False
        for position, low, high in self._ranges:
            value = values[position]
            if value is not None and not low <= value <= high:
                return False
        for position, known in self._sets:
            value = values[position]
            if value is not None and value not in known:
                return False
        return True

    def warnings(self, row: Property, given: Mapping[str, Any]) -> list[dict[str, str]]:
        """Warnings (field, kind, message) for a valid row; ``given`` is the object that the client sent."""
        return self.warnings_of(values_of(row), given)

    def warnings_of(self, values: Values, given: Iterable[str] = ()) -> list[dict[str, str]]:
        """Warnings (field, kind, message) for the values of a valid row; ``given`` are the names that the client sent."""
        row = dict(zip(FIELDS, values, strict=True))
        found = [
            _warning(name, "missing", f"{name} is not given; the price is much less sure without it")
            for name in _WANTED
            if row[name] is None
        ]
        for name, (low, high) in self.ranges.items():
            value = row[name]
            if value is not None and not low <= value <= high:
                text = f"{name} {value:g} lies outside of what the model has learned from, {low:g} to {high:g}"
                found.append(_warning(name, "out_of_range", text))
        for name, known in self.known.items():
            value = row[name]
            if value is not None and value not in known:
                found.append(_warning(name, "unseen", f"the model has seen no listing with {name} {value!r}"))
        if row["status"] is not None and "status" not in self.known and row["status"] not in STATUSES:
            found.append(_warning("status", "unseen", f"status {row['status']!r} is none of {', '.join(sorted(STATUSES))}"))
        extra = [name for name in given if name not in _SILENT]
        if extra:
            names = ", ".join(sorted(extra))[:200]
            found.append(_warning("other", "ignored", f"not a field of a property and not used: {names}"))
        return found


def _warning(name: str, kind: str, message: str) -> dict[str, str]:
    return {"field": name, "kind": kind, "message": message}


def read_domain(model_directory: Path) -> Domain:
    """The domain that a model brings as ``domain.json`` among its artifacts; the usual ranges if it brings none.

    The file is ``{"known": {"zip_code": ["00601", ...], ...}, "ranges": {"house_size": [200, 20000], ...}}``. One that
    cannot be read costs the model its own warnings, not its place.
    """
    files = sorted(model_directory.rglob(FILE_NAME))
    if not files:
        return Domain()
    try:
        content = json.loads(files[0].read_text())
        known = {name: frozenset(map(str, values)) for name, values in content.get("known", {}).items() if name in FIELDS}
        ranges = {name: (float(low), float(high)) for name, (low, high) in content.get("ranges", {}).items() if name in USUAL}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read (%s); warnings come from the usual ranges", files[0], error)
        return Domain()
    return Domain(known, {**USUAL, **ranges})
