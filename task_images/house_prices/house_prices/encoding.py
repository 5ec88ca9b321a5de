"""Learn the location encodings: what each state, postal area, city, zip code and broker adds to the level above it.

Each level is the smoothed mean of what the levels above leave unexplained: with residuals r of the n training homes of
a key, the key adds sum(r) / (n + m). For training, the encodings of a home come from other homes only (out of fold, by
home and not by row), or the trees would trust them too much.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from house_prices.model import LEVELS, Encoder, Floats, build_features, location_keys, numeric

SMOOTHING: Mapping[str, float] = {"state": 20, "zip3": 15, "city": 8, "zip5": 6, "broker": 6}
"""m of each level: how many homes its own mean is worth waiting for."""

ZIP_AXIS_WIDTHS = (3.0, 15.0)
"""Standard deviations, in zip numbers, of the Gaussian means of log price per square foot."""

FOLDS = 5

Keys = Mapping[str, npt.NDArray[np.object_]]


def targets(frame: pd.DataFrame) -> Floats:
    """Log price and log price per square foot, shape (n, 2); the second is NaN where the size is not known."""
    price, size = numeric(frame, "price"), numeric(frame, "house_size")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([np.log(price), np.log(price / np.where(size > 0, size, np.nan))], axis=1)


def fit_encoder(keys: Keys, y: Floats) -> Encoder:
    """Encodings from (n,) keys by level and (n, 2) targets."""
    counted = np.isfinite(y).sum(axis=0)
    start = np.where(counted > 0, np.nansum(y, axis=0) / np.maximum(counted, 1), np.nan)
    explained = np.tile(start, (len(y), 1))
    tables: dict[str, tuple[npt.NDArray[np.str_], Floats]] = {}
    for level in (*LEVELS, "broker"):
        codes, names = pd.factorize(keys[level], sort=True)
        residual = y - explained
        values = np.zeros((len(names), 3))
        for target in range(2):
            known = np.isfinite(residual[:, target])
            sums = np.bincount(codes[known], weights=residual[known, target], minlength=len(names))
            counts = np.bincount(codes[known], minlength=len(names))
            values[:, target] = sums / (counts + SMOOTHING[level])
        values[:, 2] = np.log1p(np.bincount(codes, minlength=len(names)))
        values[np.asarray(names) == "", :] = 0.0
        tables[level] = (np.asarray(names, dtype=np.str_), values)
        explained = explained + values[codes, :2]
    return Encoder(start, tables, _zip_axis(keys["zip5"], y[:, 1]))


def _zip_axis(zips: npt.NDArray[np.object_], y: Floats) -> npt.NDArray[np.float32]:
    """Gaussian means of the second target at every zip number, shape (2, 100000); NaN far from any home."""
    known = (zips != "") & np.isfinite(y)
    numbers = np.array([int(key) for key in zips[known]], dtype=np.intp)
    sums = np.bincount(numbers, weights=y[known], minlength=100_000).astype(np.float64)
    counts = np.bincount(numbers, minlength=100_000).astype(np.float64)
    axis = []
    for width in ZIP_AXIS_WIDTHS:
        weight = gaussian_filter1d(counts, width, mode="constant")
        total = gaussian_filter1d(sums, width, mode="constant")
        axis.append(np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), np.nan))
    return np.asarray(axis, dtype=np.float32)


def fold_of(property_keys: pd.Series[str]) -> npt.NDArray[np.intp]:
    """The fold of each home, shape (n,): a hash of its key, so that all listings of a home share it."""
    unique, index = np.unique(property_keys.to_numpy(dtype=object).astype(str), return_inverse=True)
    folds = np.array([zlib.crc32(b"fold|" + key.encode()) % FOLDS for key in unique], dtype=np.intp)
    return folds[index]


def out_of_fold_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Features for training: the encodings of each home come from the other folds."""
    keys, y, folds = location_keys(frame), targets(frame), fold_of(frame["property_key"])
    parts = []
    for fold in range(FOLDS):
        inside = folds == fold
        if not inside.any():
            continue
        others = ~inside if (~inside).any() else inside
        encoder = fit_encoder({level: values[others] for level, values in keys.items()}, y[others])
        parts.append(build_features(frame[inside], encoder))
    return pd.concat(parts).loc[frame.index]


def save_encoder(encoder: Encoder, path: str) -> None:
    """Write the encodings as plain arrays."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"start": encoder.start, "zip_axis": encoder.zip_axis}
    for level, (index, values) in encoder.tables.items():
        arrays[f"{level}_keys"] = index.to_numpy().astype(np.str_)
        arrays[f"{level}_values"] = values.astype(np.float32)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
