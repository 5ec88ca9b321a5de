"""Learn the location encodings: what each state, postal area, city, zip code and broker adds to the level above it.

Each level is the smoothed mean of what the levels above leave unexplained: with residuals r of the n training homes of
a key, the key adds sum(r) / (n + m). For training, the encodings of a home come from other homes only (out of fold, by
home and not by row), or the trees would trust them too much.

Two targets are encoded: the log price, and the log price adjusted to an average home. The adjustment is a hedonic
regression (Rosen, Journal of Political Economy 82(1), 1974) on size, bedrooms, bathrooms, lot and status within zip
codes, so that what a place costs is not mistaken for what its homes are like.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from house_prices.model import (
    FEATURES,
    LEVELS,
    Encoder,
    Floats,
    base_features,
    location_features,
    location_keys,
    numeric,
    text,
    zip_numbers,
)

SMOOTHING: Mapping[str, float] = {"state": 20, "zip3": 15, "city": 8, "zip5": 6, "broker": 6}
"""m of each level: how many homes its own mean is worth waiting for."""

ZIP_AXIS_WIDTHS = (3.0, 15.0)
"""Standard deviations, in zip numbers, of the Gaussian means of the adjusted log price."""

FOLDS = 10
"""Encodings for training rest on nine tenths of the homes, those that are served on all: the more folds, the more alike."""

HEDONIC_START = (1.0, 0.0, 0.0, 0.0, 0.0)
"""Slopes of the adjustment where nothing else is known: the price per square foot."""

HEDONIC_CAUTION = 20.0
"""How many homes, each one unit of log away from its zip code's mean, the slopes of the start are worth."""


@dataclass(frozen=True, kw_only=True)
class Homes:
    """(n,) training homes as numbers: codes and sorted names of each level, log prices, and what prices are adjusted for."""

    codes: Mapping[str, npt.NDArray[np.intp]]
    names: Mapping[str, npt.NDArray[np.str_]]
    zips: npt.NDArray[np.intp]
    log_price: Floats
    hedonic: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame, keys: Mapping[str, npt.NDArray[np.object_]]) -> Homes:
        """Homes of a frame with prices, in dollars, and their keys."""
        coded = {level: pd.factorize(keys[level], sort=True) for level in (*LEVELS, "broker")}
        return cls(
            codes={level: codes for level, (codes, _) in coded.items()},
            names={level: np.asarray(names, dtype=np.str_) for level, (_, names) in coded.items()},
            zips=zip_numbers(keys["zip5"]),
            log_price=np.log(numeric(frame, "price")),
            hedonic=hedonic_columns(frame),
        )

    def take(self, rows: npt.NDArray[np.bool_]) -> Homes:
        """Some of the homes, given as a mask of shape (n,); the names of all stay."""
        codes = {level: values[rows] for level, values in self.codes.items()}
        return Homes(
            codes=codes, names=self.names, zips=self.zips[rows], log_price=self.log_price[rows], hedonic=self.hedonic[rows]
        )


def hedonic_columns(frame: pd.DataFrame) -> Floats:
    """Logs of square feet, bedrooms, bathrooms and acres, and 1 for sold, shape (n, 5); NaN where it is not known."""
    size, bed, bath, acre = (numeric(frame, name) for name in ("house_size", "bed", "bath", "acre_lot"))
    status = text(frame, "status").to_numpy(dtype=object)
    sold = np.where(status == "sold", 1.0, np.where(status == "for_sale", 0.0, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(size), np.log(np.maximum(bed, 1)), np.log(np.maximum(bath, 1)), np.log(np.maximum(acre, 0) + 0.01)]
    columns = np.stack([*logs, sold], axis=1)
    return np.where(np.isfinite(columns), columns, np.nan)


def adjusted(homes: Homes) -> Floats:
    """Log prices (n,) of the same homes at average size, bedrooms, bathrooms, lot and status.

    What is not known of a home counts as average. The slopes are least squares within zip codes, held near HEDONIC_START
    by a ridge penalty.
    """
    known = np.isfinite(homes.hedonic)
    mean = np.where(known, homes.hedonic, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    columns = np.where(known, homes.hedonic - mean, 0)
    start = np.asarray(HEDONIC_START)
    zips, size = homes.codes["zip5"], len(homes.names["zip5"])
    # einsum and not the matrix product: BLAS adds in an order that depends on its number of threads.
    rest = _within(homes.log_price - np.einsum("ij,j->i", columns, start), zips, size)
    inside = np.stack([_within(column, zips, size) for column in columns.T], axis=1)
    penalised = np.einsum("ij,ik->jk", inside, inside) + HEDONIC_CAUTION * np.eye(len(start))
    slopes = start + np.linalg.solve(penalised, np.einsum("ij,i->j", inside, rest))
    prices: Floats = homes.log_price - np.einsum("ij,j->i", columns, slopes)
    return prices


def _within(values: Floats, codes: npt.NDArray[np.intp], size: int) -> Floats:
    """Values less the mean of their code, shape (n,)."""
    means: Floats = np.bincount(codes, weights=values, minlength=size) / np.maximum(np.bincount(codes, minlength=size), 1)
    return values - means[codes]


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """``start`` (2,) of both targets, ``values`` of each level (k, 3), ``zip_axis`` (2, 100000); see `Encoder`."""

    start: Floats
    values: Mapping[str, Floats]
    zip_axis: npt.NDArray[np.float32]


def learn(homes: Homes) -> Learnt:
    """What each name of each level adds to the levels above; names without homes add nothing."""
    y = np.stack([homes.log_price, adjusted(homes)], axis=1)
    start = y.mean(axis=0)
    explained = np.tile(start, (len(y), 1))
    values: dict[str, Floats] = {}
    for level in (*LEVELS, "broker"):
        codes, names = homes.codes[level], homes.names[level]
        counts = np.bincount(codes, minlength=len(names))
        sums = [np.bincount(codes, weights=residual, minlength=len(names)) for residual in (y - explained).T]
        values[level] = np.column_stack([*(total / (counts + SMOOTHING[level]) for total in sums), np.log1p(counts)])
        values[level][names == "", :] = 0.0
        explained = explained + values[level][codes, :2]
    return Learnt(start=start, values=values, zip_axis=_zip_axis(homes.zips, y[:, 1]))


def _zip_axis(zips: npt.NDArray[np.intp], y: Floats) -> npt.NDArray[np.float32]:
    """Gaussian means of the adjusted log price at every zip number, shape (2, 100000); NaN far from any home."""
    known = zips >= 0
    sums = np.bincount(zips[known], weights=y[known], minlength=100_000).astype(np.float64)
    counts = np.bincount(zips[known], minlength=100_000).astype(np.float64)
    axis = []
    for width in ZIP_AXIS_WIDTHS:
        weight = gaussian_filter1d(counts, width, mode="constant")
        total = gaussian_filter1d(sums, width, mode="constant")
        axis.append(np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), np.nan))
    return np.asarray(axis, dtype=np.float32)


def fit_encoder(frame: pd.DataFrame) -> Encoder:
    """Encodings from all rows of a frame with prices."""
    homes = Homes.of(frame, location_keys(frame))
    learnt = learn(homes)
    return Encoder(learnt.start, {level: (homes.names[level], learnt.values[level]) for level in homes.names}, learnt.zip_axis)


def fold_of(property_keys: pd.Series[str]) -> npt.NDArray[np.intp]:
    """The fold of each home, shape (n,): a hash of its key, so that all listings of a home share it."""
    unique, index = np.unique(property_keys.to_numpy(dtype=object).astype(str), return_inverse=True)
    folds = np.array([zlib.crc32(b"fold|" + key.encode()) % FOLDS for key in unique], dtype=np.intp)
    return folds[index]


def out_of_fold_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Features for training, shape (n, len(FEATURES)): the encodings of each home come from the other folds."""
    keys, folds = location_keys(frame), fold_of(frame["property_key"])
    homes = Homes.of(frame, keys)
    features = base_features(frame, keys)
    features |= {name: np.empty(len(frame)) for name in FEATURES if name not in features}
    for fold in range(FOLDS):
        inside = folds == fold
        others = ~inside if (~inside).any() else inside
        learnt = learn(homes.take(others))
        found = {level: learnt.values[level][codes[inside]] for level, codes in homes.codes.items()}
        for name, values in location_features(learnt.start, found, learnt.zip_axis, homes.zips[inside]).items():
            features[name][inside] = values
    return pd.DataFrame(features, columns=list(FEATURES), index=frame.index)


def save_encoder(encoder: Encoder, path: str) -> None:
    """Write the encodings as plain arrays."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"start": encoder.start, "zip_axis": encoder.zip_axis}
    for level, (index, values) in encoder.tables.items():
        arrays[f"{level}_keys"] = index.to_numpy().astype(np.str_)
        arrays[f"{level}_values"] = values.astype(np.float32)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
