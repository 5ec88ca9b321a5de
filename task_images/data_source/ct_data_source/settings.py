"""What the command line and the ``CT_SOURCE_*`` variables say, checked."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from ct_data_source.bodies import Layout

Edition = Literal["2025", "2026"]
SYNTHETIC_SCALE = 10.0
LISTINGS_SCALE = 100.0
VARIABLE_PREFIX = "CT_SOURCE_"


@dataclass(frozen=True)
class Settings:
    """``scale`` is a percentage from 1 to 100 of the documented rows, or of the file; ``groups`` are inclusive bounds."""

    host: str
    port: int
    scale: float
    seed: int
    listings: Path | None
    edition: Edition
    groups: tuple[int, int]
    state: Path | None
    cache: Path
    layout: Layout


def parse(argv: Sequence[str] | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of one start; every option may come as ``CT_SOURCE_<OPTION>`` too. Exits with 2 on a bad value."""
    parser = argparse.ArgumentParser(prog="ct_data_source", description="Serve a replica of the class data API.")

    def option(name: str, default: str | None, text: str, choices: Sequence[str] | None = None) -> None:
        variable = VARIABLE_PREFIX + name.upper()
        value = environ.get(variable) or default
        shown = f"default: {default}, " if default is not None else ""
        parser.add_argument(f"--{name}", default=value, choices=choices, help=f"{text} ({shown}${variable})")

    option("host", "127.0.0.1", "address to listen on")
    option("port", "8000", "port to listen on; 0 takes a free one and logs it")
    option("scale", None, "percent of the rows, 1 to 100; default: 10 of the synthetic market, 100 of a listings file")
    option("seed", "0", "seed of the synthetic market and of the sample of a listings file")
    option("listings", None, "CSV or Parquet file in the Kaggle layout to serve instead of the synthetic market")
    option("edition", "2025", "2025 wants a day in every request, 2026 has none", ("2025", "2026"))
    option("groups", "1-10", "valid group numbers, as N or FIRST-LAST")
    option("state", None, "file that keeps the cursors over restarts; without it they live in memory")
    option("cache", str(default_cache(environ)), "folder for rendered batches")
    option("json", "spaced", "layout of the JSON in bodies", ("spaced", "compact"))
    given = parser.parse_args(argv)
    try:
        return _checked(given)
    except ValueError as error:
        parser.error(str(error))


def _checked(given: argparse.Namespace) -> Settings:
    default = SYNTHETIC_SCALE if given.listings is None else LISTINGS_SCALE
    scale = default if given.scale is None else _number("--scale", given.scale)
    if not 1 <= scale <= 100:
        raise ValueError(f"--scale is {given.scale}, it must be from 1 to 100 percent")
    port = _integer("--port", given.port)
    if not 0 <= port <= 65_535:
        raise ValueError(f"--port is {port}, it must be from 0 to 65535")
    seed = _integer("--seed", given.seed)
    if seed < 0:
        raise ValueError(f"--seed is {seed}, it must not be negative")
    if given.edition not in ("2025", "2026"):
        raise ValueError(f"--edition is {given.edition}, it must be 2025 or 2026")
    if given.json not in ("spaced", "compact"):
        raise ValueError(f"--json is {given.json}, it must be spaced or compact")
    return Settings(
        host=given.host,
        port=port,
        scale=scale,
        seed=seed,
        listings=Path(given.listings) if given.listings is not None else None,
        edition=cast(Edition, given.edition),
        groups=_groups(given.groups),
        state=Path(given.state) if given.state is not None else None,
        cache=Path(given.cache),
        layout=cast(Layout, given.json),
    )


def _groups(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if found is None:
        raise ValueError(f"--groups is {text}, it must be N or FIRST-LAST, for example 1-10")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError(f"--groups is {text}, the last group is before the first")
    return first, last


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text}, it must be a number") from None


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name} is {text}, it must be a whole number") from None


def default_cache(environ: Mapping[str, str]) -> Path:
    """A folder of this user's own: ``XDG_CACHE_HOME`` or ``~/.cache``, then ``ct_data_source``."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ct_data_source"
