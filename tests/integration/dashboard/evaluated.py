"""What the evaluate step writes about versions: fixed sets of homes, scores and explanations."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

COLUMNS = ["location", "house_size", "bath", "status"]
HOMES = 60
BATH = 0.3
"""What a bathroom more or less is worth to version 3 and not to version 2, in log units."""


class Evaluations:
    """Writes what the evaluate step writes about versions."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        random = np.random.default_rng(0)
        self.homes = [
            {
                "property_key": f"{n}|{600 + n % 20:05d}", "price": 1e5 + 1000 * n, "status": ["sold", "for_sale"][n % 2],
                "bed": 3.0, "bath": float(1 + n % 4), "acre_lot": 0.2, "city": "Adjuntas", "state": ["Hawaii", "Ohio"][n % 2],
                "zip_code": f"{600 + n % 20:05d}", "house_size": 900.0 + 20 * n, "prev_sold_date": None, "brokered_by": 7.0,
            }
            for n in range(HOMES)
        ]  # fmt: skip
        self.values = random.normal(0, [0.4, 0.3, 0.05, 0.01], (HOMES, len(COLUMNS)))

    def fixed_set(self, digest: str) -> None:
        """A set that is drawn after a new batch."""
        _, batch = self.pipeline.batch()
        self.drawn(digest, batch)

    def drawn(self, digest: str, batch: int) -> None:
        """A set that is drawn after the batch of that id."""
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.fixed_sets (set_digest, batch_id, row_count, area_count, background) "
                "VALUES (%s, %s, 900, 20, %s)",
                (digest, batch, Jsonb(self.homes)),
            )

    def score(self, digest: str, version: str, mae: float, *, problem: str | None = None, unsound: int = 0) -> None:
        numbers = {
            "mae": [mae, mae - 2000, mae + 2000], "rmse": [2 * mae, 1.9 * mae, 2.2 * mae], "mdape": [0.2, 0.19, 0.21],
            "within_20_percent": [0.5, 0.45, 0.55], "r2_log": [0.7, 0.68, 0.72], "coverage": [0.9, 0.88, 0.92],
        }  # fmt: skip
        parts = [("all", "", 900), ("state", "Ohio", 500), ("status", "sold", 400), ("house_size", "1200:1800", 300)]
        with psycopg.connect(self.pipeline.url) as connection:
            for dimension, value, rows in parts if problem is None else parts[:1]:
                connection.execute(
                    "INSERT INTO audit.version_scores VALUES (%s, 'house-prices', %s, %s, %s, %s, 20, %s, %s, %s)",
                    (digest, version, dimension, value, rows, unsound, Jsonb({} if problem else numbers), problem),
                )

    def explain(self, digest: str, version: str, *, bath: float = 0.0, base: float = 12.0, noise: bool = True) -> None:
        values = self.values.copy()
        values[:, 2] += bath * (np.arange(HOMES) % 4 - 1.5)
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.explanations VALUES (%s, 'house-prices', %s, %s, %s, %s, %s)",
                (digest, version, COLUMNS, base, values.tolist(), Jsonb(dict.fromkeys(COLUMNS, 0.005)) if noise else None),
            )

    def problem(self, digest: str, version: str, code: str) -> None:
        with psycopg.connect(self.pipeline.url) as connection:
            connection.execute(
                "INSERT INTO audit.explanations VALUES (%s, 'house-prices', %s, '{}', NULL, '{}', NULL, %s)",
                (digest, version, code),
            )

    def three_versions(self) -> None:
        """Two sets; version 2 is in production, version 3 was rejected and relies on bathrooms."""
        self.fixed_set("first")
        self.score("first", "1", 60_000)
        self.explain("first", "1")
        self.pipeline.event("run-0", "1", "promoted")
        self.fixed_set("second")
        for version, mae in (("1", 70_000), ("2", 50_000), ("3", 55_000)):
            self.score("second", version, mae)
        self.explain("second", "2")
        self.explain("second", "3", bath=BATH, base=12.1)
        self.pipeline.event("run-1", "2", "promoted")
