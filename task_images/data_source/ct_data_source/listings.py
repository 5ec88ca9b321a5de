"""The listings feed: a file in the Kaggle layout (CSV or Parquet), complete rows only, cut by the documented rule."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from ct_data_source.columns import COLUMNS, FOR_SALE, SCHEMA, TEXT_COLUMNS
from ct_data_source.partition import BATCH_ROWS, UNASSIGNED, assign, scaled

log = logging.getLogger(__name__)


class ListingsFileError(ValueError):
    """The file cannot be served; the message says why and what a usable file has."""


def file_digest(file: Path) -> str:
    """SHA-256 of the file. Raises ListingsFileError if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ListingsFileError(f"the listings file cannot be read ({error})") from error


def read_complete(file: Path) -> pa.Table:
    """All rows of ``file`` that have a value in each of the twelve columns, in file order, with the wire's column order.

    Raises ListingsFileError for an unreadable file, a missing column or a column of another kind.
    """
    try:
        table = _read_parquet(file) if file.suffix.lower() in {".parquet", ".pq"} else _read_csv(file)
    except KeyError as error:
        raise ListingsFileError(f"{file.name} lacks the column {error.args[0]}; needed are {', '.join(COLUMNS)}") from error
    except (OSError, pa.ArrowException) as error:
        raise ListingsFileError(f"{file.name} is not a listings file in the Kaggle layout: {error}") from error
    complete: pa.ChunkedArray | None = None
    for name in COLUMNS:
        column = table[name]
        present = pc.is_valid(column) if name in TEXT_COLUMNS else pc.fill_null(pc.is_finite(column), False)
        complete = present if complete is None else pc.and_(complete, present)
    rows = table.filter(complete)
    log.info("%s: %d rows, %d of them complete", file.name, table.num_rows, rows.num_rows)
    return rows


def _read_parquet(file: Path) -> pa.Table:
    names = pyarrow.parquet.read_schema(file).names
    _require(names)
    return pyarrow.parquet.read_table(file, columns=list(COLUMNS)).cast(SCHEMA)


def _read_csv(file: Path) -> pa.Table:
    with file.open("rb") as stream:
        header = stream.readline(65_536).decode("utf-8-sig", errors="replace").strip()
    _require([name.strip('"') for name in header.split(",")])
    options = pyarrow.csv.ConvertOptions(
        column_types={field.name: field.type for field in SCHEMA},
        include_columns=list(COLUMNS),
        strings_can_be_null=True,
        null_values=["", "NaN", "nan", "NULL", "null", "None"],
    )
    return pyarrow.csv.read_csv(file, convert_options=options)


def _require(names: list[str]) -> None:
    for name in COLUMNS:
        if name not in names:
            raise KeyError(name)


def batches(file: Path, scale: float, seed: int) -> Iterator[pa.Table]:
    """The batches of ``file``: for sale before the rest, else in file order; below 100 percent a seeded sample of each.

    A batch to which no row belongs is left out and the later ones move up, so that the stream never has an empty answer.
    Raises ListingsFileError if no row belongs to any batch.
    """
    table = read_complete(file)
    status = table["status"].to_numpy()
    number = assign(table["price"].to_numpy(), table["state"].to_numpy(), status, table["house_size"].to_numpy())
    if np.all(number == UNASSIGNED):
        raise ListingsFileError(f"{file.name} has no complete listing that belongs to a batch")
    without = int(np.sum(number == UNASSIGNED))
    if without:
        log.warning("%d complete listings belong to no batch (neither for sale nor sold) and are left out", without)
    for batch in range(len(BATCH_ROWS)):
        chosen = np.flatnonzero(number == batch)
        if not chosen.size:
            log.warning("no listing belongs to batch %d of the documented rule; the batches after it move up", batch)
            continue
        if scale < 100:
            random = np.random.default_rng([seed, batch])
            chosen = np.sort(random.choice(chosen, scaled(chosen.size, scale), replace=False))
        blocks = np.argsort(status[chosen] != FOR_SALE, kind="stable")
        yield table.take(pa.array(chosen[blocks]))
