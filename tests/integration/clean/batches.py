"""Write batches straight into RAW, as collect would."""

from __future__ import annotations

import json

ROW = {
    "brokered_by": 101640.0, "status": "for_sale", "price": 289900.0, "bed": 4.0, "bath": 2.0, "acre_lot": 0.38,
    "street": 1758218.0, "city": "East Windsor", "state": "Connecticut", "zip_code": 6016.0, "house_size": 1617.0,
    "prev_sold_date": "1999-09-30",
}  # fmt: skip


def row(**changes):
    """A sound listing with some values changed; ``other`` and ``missing`` as collect writes them."""
    return {**ROW, "other": None, "missing": None, **changes}


def homes(count, start=0, **changes):
    """Distinct sound listings."""
    return [row(street=float(1000 + start + i), price=150_000.0 + 137 * i, **changes) for i in range(count)]


def add_batch(connection, rows, number=0, schema_seen=None):
    """Store rows as a batch and return its id."""
    request = connection.execute(
        "INSERT INTO raw.requests (stream, run_id, kind, url, outcome) VALUES ('s', %s, 'data', 'u', 'stored') "
        "RETURNING request_id",
        (f"r{number}",),
    ).fetchone()["request_id"]
    seen = schema_seen or {name: {"string" if isinstance(value, str) else "number": len(rows)} for name, value in ROW.items()}
    batch_id = connection.execute(
        """
        INSERT INTO raw.batches (stream, batch_number, dag_id, run_id, request_id, row_count, body_bytes, body_sha256, envelope,
                                 schema_seen, requested_at)
        VALUES ('s', %s, 'd', %s, %s, %s, 1, 'x', '{}', %s, now()) RETURNING batch_id
        """,
        (number, f"r{number}", request, len(rows), json.dumps(seen)),
    ).fetchone()["batch_id"]
    columns = [*ROW, "other", "missing"]
    for position, values in enumerate(rows, start=1):
        connection.execute(
            f"INSERT INTO raw.listings (batch_id, row_number, {', '.join(columns)}) VALUES (%s, %s{', %s' * len(columns)})",
            [batch_id, position, *(json.dumps(values[c]) if c == "other" and values[c] else values[c] for c in columns)],
        )
    connection.commit()
    return batch_id
