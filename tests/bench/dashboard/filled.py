"""A long history as the pipeline leaves it: decisions with all evidence, listings, and scores and explanations of versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import written as pages
from psycopg.types.json import Jsonb

LISTINGS = 100_000
SCORED = 20
"""Versions that evaluate scores on a set; SLICES are theirs beside all homes: 15 states, 3 statuses, 3 sizes."""

SLICES = [
    *(("state", f"state {number}") for number in range(15)),
    *(("status", status) for status in ("for_sale", "sold", "ready_to_build")),
    *(("house_size", size) for size in (":1200", "1200:1800", "1800:")),
]
BACKGROUND = 1000
COLUMNS = ["location", "house_size", "bath", "bed", "acre_lot", "status", "prev_sold_date", "brokered_by"]


def fill(url: str, batches: int) -> None:
    """A history in which every second batch trains a version, with all signals, gates, slices, errors and insights."""
    pipeline = pages.Pipeline(url)
    signals = [pages.ERROR_RATIO, pages.NEW_STATE, pages.VOLUME, *pages.PSI * 5]
    for number in range(batches):
        run, batch = pipeline.batch(LISTINGS // batches)
        champion, version = str((number + 1) // 2), str(number // 2 + 1)
        if number % 2 == 0:
            pipeline.decide(run, batch, "retrain", "train", "TRAIN_PERFORMANCE_DEGRADED", champion_version=champion,
                            facts={"batch_number": number, "fired": ["error_ratio"]}, signals=signals)  # fmt: skip
            gates = [pages.LEAKAGE, pages.superiority(-0.12, -0.15, -0.09, "pass"), pages.SLICES] * 9
            pipeline.decide(run, batch, "promotion", "promote", "PROMOTE_BETTER", champion_version=champion,
                            challenger_version=version, gates=gates)  # fmt: skip
            pipeline.event(run, version, "promoted")
            insights(url, batch, number // 2 + 1)
        else:
            pipeline.decide(run, batch, "retrain", "skip", "SKIP_NO_MATERIAL_CHANGE", champion_version=champion,
                            facts={"batch_number": number}, signals=signals)  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO clean.listings (batch_id, row_number, property_key, bucket, split, relisted, status, price, bed, "
            "bath, acre_lot, street, city, state, zip_code, house_size) SELECT 1 + n %% %s, n, n, 1, 'train', false, 'sold', "
            "exp(11 + (n %% 300) / 100.0), 3, 2, 0.2, n, 'city ' || n %% 2000, 'state ' || n %% 50, "
            "lpad((n %% 20000)::text, 5, '0'), 500 + n %% 3000 FROM generate_series(1, %s) AS n",
            (batches, LISTINGS),
        )
        connection.execute("ANALYZE")
    pipeline.asked(2000)


def homes(random: np.random.Generator) -> list[dict[str, Any]]:
    """The background of a set, as evaluate keeps it."""
    return [
        {
            "property_key": f"{number}|{number % 400:05d}",
            "price": 1e5 + 500 * number,
            "status": ["sold", "for_sale"][number % 2],
            "bed": float(1 + number % 5),
            "bath": float(1 + number % 4),
            "acre_lot": round(random.lognormal(-1.5, 1), 2),
            "city": f"city {number % 200}",
            "state": f"state {number % 30}",
            "zip_code": f"{number % 400:05d}",
            "house_size": float(random.integers(500, 5000)),
            "prev_sold_date": f"20{number % 20:02d}-03-01",
            "brokered_by": 7.0,
        }
        for number in range(BACKGROUND)
    ]


def insights(url: str, batch: int, version: int) -> None:
    """The set that is drawn after a batch, the scores of the newest versions on it, and explanations of the newest three."""
    random = np.random.default_rng(version)
    digest = f"set of {batch}"
    noise = Jsonb(dict.fromkeys(COLUMNS, 0.005))
    metrics = Jsonb({
        "mae": [7e4, 6.8e4, 7.2e4], "rmse": [1.4e5, 1.3e5, 1.5e5], "mdape": [0.2, 0.19, 0.21], "coverage": [0.9, 0.88, 0.92],
        "within_20_percent": [0.5, 0.45, 0.55], "r2_log": [0.7, 0.68, 0.72],
    })  # fmt: skip
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit.fixed_sets (set_digest, batch_id, row_count, area_count, background) "
            "VALUES (%s, %s, 20000, 400, %s)",
            (digest, batch, Jsonb(homes(random))),
        )  # fmt: skip
        cursor.executemany(
            "INSERT INTO audit.version_scores VALUES (%s, 'house-prices', %s, %s, %s, 900, 20, 0, %s, NULL)",
            [
                (digest, str(scored), dimension, part, metrics)
                for scored in range(max(version - SCORED, 0) + 1, version + 1)
                for dimension, part in (("all", ""), *SLICES)
            ],
        )
        for explained in range(max(version - 2, 1), version + 1):
            values = random.normal(0, np.linspace(0.4, 0.01, len(COLUMNS)), (BACKGROUND, len(COLUMNS)))
            cursor.execute(
                "INSERT INTO audit.explanations VALUES (%s, 'house-prices', %s, %s, 12, %s, %s)",
                (digest, str(explained), COLUMNS, values.tolist(), noise),
            )
