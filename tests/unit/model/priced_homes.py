"""Listings with a known price structure."""

from __future__ import annotations

import numpy as np
import pandas as pd

SPLITS = ("train", "validation", "calibration", "test")


def listings(rows: int, seed: int = 0) -> pd.DataFrame:
    """Homes in two states and forty zip codes: price = size x level of the zip code x noise; some values absent."""
    random = np.random.default_rng(seed)
    area = random.integers(0, 40, rows)
    size = np.round(np.exp(random.normal(7.4, 0.4, rows)))
    zip_code = pd.Series([f"{600 + 13 * a:05d}" for a in area])
    frame = pd.DataFrame(
        {
            "property_key": [f"{number}|{code}" for number, code in enumerate(zip_code)],
            "split": random.choice(SPLITS, rows, p=(0.66, 0.07, 0.07, 0.2)),
            "status": random.choice(["for_sale", "sold"], rows),
            "price": np.round(size * (100 + 10 * area) * np.exp(random.normal(0, 0.2, rows))),
            "bed": random.integers(1, 6, rows).astype(float),
            "bath": random.integers(1, 4, rows).astype(float),
            "acre_lot": np.round(np.exp(random.normal(-1.5, 1, rows)), 2),
            "city": [f"Town {a // 4}" for a in area],
            "state": np.where(area % 2, "Oregon", "Ohio"),
            "zip_code": zip_code,
            "house_size": size,
            "prev_sold_date": random.choice(["2015-02-28", "2021-12-31", None], rows),
            "brokered_by": random.integers(1, 60, rows).astype(float),
        }
    )
    for name in ("bed", "bath", "acre_lot", "house_size", "brokered_by", "city"):
        frame.loc[random.random(rows) < 0.03, name] = None
    return frame
