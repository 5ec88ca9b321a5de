"""Batches as ready JSON on disk: rendered once in chunks, kept by the identity of their feed, found again at the next start."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ct_data_source.columns import COLUMNS, TEXT_COLUMNS

Layout = Literal["spaced", "compact"]
LAYOUT_VERSION = 2
CHUNK_ROWS = 32_768
ABANDONED_SECONDS = 3_600
MANIFEST = "manifest.json"
END = b"]}"


@dataclass(frozen=True)
class StoredBatch:
    """One batch of a rendered feed: ``file`` holds its rows in ``size`` bytes, without the head and the ``END`` of the body."""

    number: int
    rows: int
    size: int
    sha256: str
    file: Path

    def head(self, group: int, day: str | None, layout: Layout) -> bytes:
        """The beginning of the body up to and with the bracket of ``data``. The 2026 edition has no day."""
        fields: dict[str, int | str | list[None]] = {"group_number": group}
        if day is not None:
            fields["day"] = day
        text = json.dumps({**fields, "batch_number": self.number, "data": []}, separators=separators(layout))
        return text[: -len(END)].encode()


def separators(layout: Layout) -> tuple[str, str]:
    """The separators of items and of keys."""
    return (", ", ": ") if layout == "spaced" else (",", ":")


def rendered(table: pa.Table, layout: Layout) -> Iterator[bytes]:
    """The rows of ``table`` as JSON objects in chunks, byte by byte what ``json.dumps`` writes, comma-separated over all."""
    item, colon = separators(layout)
    cells: list[tuple[pa.Array, pa.Array]] = []
    for position, name in enumerate(COLUMNS):
        key = ("{" if position == 0 else item) + json.dumps(name) + colon
        end = "}" + item if position == len(COLUMNS) - 1 else ""
        levels, codes = _levels(table[name], name in TEXT_COLUMNS)
        texts = [key + level + end for level in levels]
        cells.append((pa.array(texts, pa.large_string()), codes))
    for begin in range(0, table.num_rows, CHUNK_ROWS):
        parts = [texts.take(codes[begin : begin + CHUNK_ROWS]) for texts, codes in cells]
        objects = pc.binary_join_element_wise(*parts, pa.scalar("", pa.large_string()))
        # The texts of an Arrow array lie one behind the other: its data is the chunk. The buffer may be longer.
        size = pc.sum(pc.binary_length(objects)).as_py()
        last = begin + CHUNK_ROWS >= table.num_rows
        yield bytes(memoryview(objects.buffers()[2])[: size - len(item) if last else size])


def _levels(column: pa.ChunkedArray, text: bool) -> tuple[list[str], pa.Array]:
    """The JSON of the distinct values of a column, and the index of each row's value."""
    if text:
        encoded = column.combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0)
        if not isinstance(encoded, pa.DictionaryArray):
            encoded = encoded.dictionary_encode()
        used, codes = np.unique(encoded.indices.to_numpy(), return_inverse=True)
        values = encoded.dictionary.take(pa.array(used)).to_pylist()
        return [json.dumps(value, ensure_ascii=False) for value in values], pa.array(codes.astype(np.int32))
    # By their bits: 0.0 and -0.0 are equal but not written alike.
    bits, codes = np.unique(column.to_numpy().view(np.int64), return_inverse=True)
    # What json writes for a finite float.
    return list(map(float.__repr__, bits.view(np.float64).tolist())), pa.array(codes.astype(np.int32))


def store(
    directory: Path, feed: dict[str, object], layout: Layout, make: Callable[[], Iterable[pa.Table]]
) -> list[StoredBatch]:
    """The rendered batches of ``feed`` below ``directory``, made by ``make`` only if they are not there complete.

    The key is the digest of the feed's identity and of the layout. A folder appears under its final name only when all
    batches are written, so that a killed start leaves nothing that a later one would trust.
    """
    identity = {"feed": feed, "layout": layout, "layout_version": LAYOUT_VERSION}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:24]
    final = directory / key
    found = _load(final)
    if found is not None:
        return found
    directory.mkdir(parents=True, exist_ok=True)
    _sweep(directory)
    temporary = Path(tempfile.mkdtemp(dir=directory, prefix=f".{key}-"))
    try:
        batches = [_write(temporary, number, table, layout) for number, table in enumerate(make())]
        manifest = {"identity": identity, "batches": [{**asdict(batch), "file": batch.file.name} for batch in batches]}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        temporary.chmod(0o755)
        if final.exists() and _load(final) is None:
            shutil.rmtree(final, ignore_errors=True)
        try:
            temporary.rename(final)
        except OSError:
            # Another process finished the same feed first; its files are the same bytes.
            if _load(final) is None:
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    stored = _load(final)
    if stored is None:
        raise RuntimeError(f"the rendered batches in {final} vanished while they were being made; start again")
    return stored


def _sweep(directory: Path) -> None:
    """Remove what starts that were killed have left; younger folders may belong to a start that goes on."""
    for path in directory.glob(".*-*"):
        try:
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue


def _write(directory: Path, number: int, table: pa.Table, layout: Layout) -> StoredBatch:
    file = directory / f"batch-{number}.json"
    digest, size = hashlib.sha256(), 0
    with file.open("wb") as stream:
        for chunk in rendered(table, layout):
            stream.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return StoredBatch(number, table.num_rows, size, digest.hexdigest(), file)


def _load(directory: Path) -> list[StoredBatch] | None:
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        batches = [StoredBatch(**{**entry, "file": directory / entry["file"]}) for entry in manifest["batches"]]
        if all(batch.file.stat().st_size == batch.size for batch in batches):
            return batches
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None
