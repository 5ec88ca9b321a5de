"""Rows of CLEAN as data frames: one COPY, typed columns, a fixed order."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS: dict[str, str] = {
    "batch_id": "int64",
    "row_number": "int64",
    "property_key": "str",
    "split": "category",
    "relisted": "bool",
    "brokered_by": "float64",
    "status": "category",
    "price": "float64",
    "bed": "float64",
    "bath": "float64",
    "acre_lot": "float64",
    "city": "category",
    "state": "category",
    "zip_code": "category",
    "house_size": "float64",
    "prev_sold_date": "category",
}
"""What a frame of listings holds, with its types. Texts that repeat are categories: a tenth of the memory."""

# pandas reads categories that are all digits as numbers, and 00601 would become 601: a mark before each text prevents it.
_SELECTED = {"category": "'=' || {0} AS {0}", "bool": "{0}::int AS {0}"}


def read_listings(
    connection: Any,
    *,
    splits: Sequence[str] | None = None,
    batch_ids: Sequence[int] | None = None,
    columns: Sequence[str] = tuple(COLUMNS),
    homes: int | None = None,
) -> pd.DataFrame:
    """The listings of CLEAN in these splits and batches (None: all), ordered by batch and row number.

    With ``homes`` only so many: the first listing of each home whose key has one of the smallest MD5 sums, smallest first.
    ``connection`` is a psycopg connection. Dollars, acres, square feet; ``zip_code`` has five digits, dates are texts.
    """
    kinds = {name: COLUMNS[name] for name in columns}
    selected = ", ".join(_SELECTED.get(kind, "{0}").format(name) for name, kind in kinds.items())
    query = (
        f"SELECT {selected} FROM clean.listings "
        "WHERE (%(splits)s::text[] IS NULL OR split = ANY(%(splits)s)) "
        "AND (%(batches)s::bigint[] IS NULL OR batch_id = ANY(%(batches)s)) "
    )
    if homes is None:
        query += "ORDER BY batch_id, row_number"
    else:
        query += 'AND NOT relisted ORDER BY md5(property_key) COLLATE "C", property_key LIMIT %(homes)s'
    values = {
        "homes": homes,
        "splits": None if splits is None else list(splits),
        "batches": None if batch_ids is None else [int(batch) for batch in batch_ids],
    }
    buffer = io.BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)".encode(), values) as copy,
    ):
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    # In one piece: categories that are put together from chunks are not sorted, and their order would vary with the size.
    types = {name: "int8" if kind == "bool" else kind for name, kind in kinds.items()}
    frame = pd.read_csv(buffer, dtype=types, keep_default_na=False, na_values=[""], low_memory=False)
    for name, kind in kinds.items():
        if kind == "bool":
            frame[name] = frame[name].astype(bool)
        if kind == "category":
            frame[name] = frame[name].cat.rename_categories([text[1:] for text in frame[name].cat.categories])
    return frame


def frame_digest(frame: pd.DataFrame) -> str:
    """SHA-256 of a frame's columns and values in their order, hexadecimal; the same in every process.

    Neither the index nor the storage of texts (category or str) changes it; absent and empty texts differ.
    """
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{len(str(name))}:{name}|{len(frame)}|".encode())
        if column.dtype.kind in "fiub":
            numbers = column.to_numpy(dtype=np.float64)
            digest.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
        else:
            codes, texts = pd.factorize(column)
            digest.update(json.dumps([str(text) for text in texts]).encode())
            digest.update(codes.astype(np.int32).tobytes())
    return digest.hexdigest()
