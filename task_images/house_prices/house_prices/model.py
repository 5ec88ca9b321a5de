"""The model as it is served: raw columns of a listing in, price with its 90 % interval out.

This one file is logged with every version and needs nothing of ours: numpy, pandas and the library that trained the
trees. What was learnt lies beside it as data: ``trees.cbm`` (CatBoost) or ``trees.skops`` (scikit-learn),
``encodings.npz``, ``zip_axis.npz`` and ``model.json``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

RAW_COLUMNS = (
    "status", "bed", "bath", "acre_lot", "city", "state", "zip_code", "house_size", "prev_sold_date", "brokered_by",
)  # fmt: skip

LEVELS = ("state", "zip3", "city", "zip5")
"""Levels of the location, each inside the one before it."""

TARGETS = ("price", "adjusted")
"""What is encoded: log price, and log price of the same home at average size, bedrooms, bathrooms, lot and status."""

BASE_FEATURES: dict[str, tuple[str, ...]] = {
    "log_size": ("house_size",),
    "bed": ("bed",),
    "bath": ("bath",),
    "log_acre": ("acre_lot",),
    "size_per_bed": ("house_size", "bed"),
    "size_per_bath": ("house_size", "bath"),
    "bath_per_bed": ("bath", "bed"),
    "rooms": ("bed", "bath"),
    "size_per_acre": ("house_size", "acre_lot"),
    "sold": ("status",),
    "sold_year": ("prev_sold_date",),
    "zip_number": ("location",),
}
"""Features that are computed from one row alone, with the raw columns that they come from."""

LOCATION_FEATURES: dict[str, tuple[str, ...]] = {
    **{f"{level}_{target}": ("location",) for target in TARGETS for level in LEVELS},
    **{f"{level}_count": ("location",) for level in LEVELS},
    "zip_axis_3": ("location",),
    "zip_axis_15": ("location",),
    "broker_price": ("brokered_by",),
    "broker_adjusted": ("brokered_by",),
    "broker_count": ("brokered_by",),
}
"""Features that are looked up in what was learnt from other homes."""

FEATURES = (*BASE_FEATURES, *LOCATION_FEATURES)
SOURCES = BASE_FEATURES | LOCATION_FEATURES
EXPLAINED = ("location", "house_size", "bed", "bath", "acre_lot", "status", "prev_sold_date", "brokered_by")
"""The user's columns in an explanation; city, state and zip code are one: location."""


def numeric(frame: pd.DataFrame, name: str) -> Floats:
    """A column as numbers, shape (n,); what is absent or unreadable is NaN."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[name], errors="coerce"), dtype=np.float64)


def text(frame: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column as texts; what is absent is the empty text."""
    if name not in frame:
        return pd.Series([""] * len(frame), index=frame.index, dtype=object)
    column = frame[name]
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()


def location_keys(frame: pd.DataFrame) -> dict[str, npt.NDArray[np.object_]]:
    """The key of each level and of the broker, shape (n,); the empty text where it is not known."""
    zip_code = text(frame, "zip_code").str.replace(r"\.0$", "", regex=True)
    known = zip_code.str.fullmatch(r"[0-9]{1,5}").fillna(value=False)
    zip_code = zip_code.where(known, "").where(~known, zip_code.str.zfill(5))
    state, city = text(frame, "state"), text(frame, "city")
    broker = numeric(frame, "brokered_by")
    return {
        "state": state.to_numpy(dtype=object),
        "zip3": zip_code.str[:3].to_numpy(dtype=object),
        "city": (city + "|" + state).where(city != "", "").to_numpy(dtype=object),
        "zip5": zip_code.to_numpy(dtype=object),
        "broker": np.array([str(int(value)) if np.isfinite(value) else "" for value in broker], dtype=object),
    }


def base_features(frame: pd.DataFrame, keys: Mapping[str, npt.NDArray[np.object_]]) -> dict[str, Floats]:
    """The features of one row alone, by name, each of shape (n,)."""
    numbers = {name: numeric(frame, name) for name in ("house_size", "bed", "bath", "acre_lot")}
    sold = pd.to_datetime(text(frame, "prev_sold_date"), errors="coerce", format="%Y-%m-%d")
    sold_year = np.asarray(sold.dt.year + (sold.dt.day_of_year - 1) / 366, dtype=np.float64)
    features = number_features(numbers, text(frame, "status").to_numpy(dtype=object), sold_year, zip_numbers(keys["zip5"]))
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in features.items()}


def number_features(
    numbers: Mapping[str, Floats], status: npt.NDArray[np.object_], sold_year: Floats, zips: npt.NDArray[np.intp]
) -> dict[str, Floats]:
    """See `base_features`, infinities included; all of shape (n,), NaN where unknown, ``zips`` as of `zip_numbers`."""
    size, bed, bath, acre = (numbers[name] for name in ("house_size", "bed", "bath", "acre_lot"))
    size, acre = np.where(size > 0, size, np.nan), np.where(acre >= 0, acre, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "log_size": np.log(size),
            "bed": bed,
            "bath": bath,
            "log_acre": np.log(acre + 0.01),
            "size_per_bed": size / np.maximum(bed, 1),
            "size_per_bath": size / np.maximum(bath, 1),
            "bath_per_bed": bath / np.maximum(bed, 1),
            "rooms": bed + bath,
            "size_per_acre": np.log(size / (acre + 0.01)),
            "sold": np.where(status == "sold", 1.0, np.where(status == "for_sale", 0.0, np.nan)),
            "sold_year": sold_year,
            "zip_number": np.where(zips >= 0, zips, np.nan),
        }


class Encoder:
    """What was learnt about places and brokers: a table for each level, and the price level along the zip axis.

    ``tables[level]`` has ``keys`` (sorted texts) and ``values`` of shape (k, 3): the level's own addition to the log
    price and to the adjusted log price, and the log of one plus its count of homes. A key that is not known adds
    nothing, so that the level above it answers.
    """

    def __init__(
        self, start: Floats, tables: Mapping[str, tuple[npt.NDArray[np.str_], Floats]], zip_axis: npt.NDArray[np.float32]
    ) -> None:
        self.start = start
        self.tables = {level: (pd.Index(keys.astype(object)), values) for level, (keys, values) in tables.items()}
        self.zip_axis = zip_axis
        self._positions: dict[str, dict[str, int]] = {}

    def positions(self, level: str, keys: Sequence[str]) -> npt.NDArray[np.intp]:
        """Where (n,) keys stand in the level's table, -1 for unknown ones; for few keys much faster than an index."""
        known = self._positions.get(level)
        if known is None:
            known = self._positions[level] = {key: i for i, key in enumerate(self.tables[level][0])}
        return np.array([known.get(key, -1) for key in keys], dtype=np.intp)

    def look_up(self, level: str, keys: npt.NDArray[np.object_]) -> Floats:
        """The level's values for (n,) keys, shape (n, 3); zeros where a key is not known."""
        return self.values_at(level, self.tables[level][0].get_indexer(keys))

    def values_at(self, level: str, position: npt.NDArray[np.intp]) -> Floats:
        """The values of (n,) positions in the level's table, shape (n, 3); zeros where a position is -1."""
        values = self.tables[level][1]
        found = values[np.maximum(position, 0)] if len(values) else np.zeros((len(position), 3))
        return np.where((position >= 0)[:, None], found, 0.0)

    def features(self, keys: Mapping[str, npt.NDArray[np.object_]]) -> dict[str, Floats]:
        """The features that are looked up, by name, each of shape (n,)."""
        found = {level: self.look_up(level, keys[level]) for level in (*LEVELS, "broker")}
        return location_features(self.start, found, self.zip_axis, zip_numbers(keys["zip5"]))


def zip_numbers(zips: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Zip codes as numbers, shape (n,); -1 where it is not known."""
    return np.array([int(key) if key else -1 for key in zips], dtype=np.intp)


def location_features(
    start: Floats, found: Mapping[str, Floats], zip_axis: npt.NDArray[np.float32], zips: npt.NDArray[np.intp]
) -> dict[str, Floats]:
    """Features by name, each of shape (n,), from the (n, 3) values of each level and the (n,) zip numbers; see `Encoder`."""
    features: dict[str, Floats] = {}
    level_value = np.tile(start, (len(zips), 1))
    for level in LEVELS:
        level_value = level_value + found[level][:, :2]
        features |= {f"{level}_{target}": level_value[:, i] for i, target in enumerate(TARGETS)}
        features[f"{level}_count"] = found[level][:, 2]
    features |= {f"broker_{name}": found["broker"][:, i] for i, name in enumerate((*TARGETS, "count"))}
    axis = np.where(zips >= 0, zip_axis[:, zips].astype(np.float64), np.nan)
    return features | {"zip_axis_3": axis[0], "zip_axis_15": axis[1]}


@lru_cache(maxsize=65_536)
def _sold_year(day: str | None) -> float:
    if day is None:
        return np.nan
    when = date.fromisoformat(day)
    return when.year + (when.timetuple().tm_yday - 1) / 366


def build_features(frame: pd.DataFrame, encoder: Encoder) -> pd.DataFrame:
    """All features of raw rows, shape (n, len(FEATURES)), in the order of FEATURES."""
    keys = location_keys(frame)
    return pd.DataFrame(base_features(frame, keys) | encoder.features(keys), columns=list(FEATURES), index=frame.index)


class HousePriceModel:
    """A trained model. Missing and unknown values are fine in every column."""

    def __init__(self, directory: Path) -> None:
        self.settings: dict[str, Any] = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        self.learner: str = self.settings["learner"]
        with np.load(directory / "encodings.npz", allow_pickle=False) as file:
            tables = {
                level: (file[f"{level}_keys"], file[f"{level}_values"].astype(np.float64)) for level in (*LEVELS, "broker")
            }
            self.encoder = Encoder(file["start"].astype(np.float64), tables, file["zip_axis"])
        self._trees = _load_trees(self.learner, directory)
        self._edges = np.asarray(self.settings["interval"]["edges"], dtype=np.float64)
        self._half_widths = np.asarray(self.settings["interval"]["half_widths"], dtype=np.float64)

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features of raw rows."""
        return build_features(frame, self.encoder)

    def predict_log(self, features: pd.DataFrame) -> Floats:
        """Log prices from features, shape (n,)."""
        if len(features) == 0:
            return np.empty(0)
        return np.asarray(self._trees.predict(features.to_numpy()), dtype=np.float64)

    def half_width(self, log_price: Floats) -> Floats:
        """Half of the 90 % interval in log units, by the range that the prediction falls into."""
        return self._half_widths[np.searchsorted(self._edges, log_price, side="right")]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Dollars: ``price``, ``price_low`` and ``price_high`` (90 % interval), one row each."""
        log_price = self.predict_log(self.features(frame))
        width = self.half_width(log_price)
        columns = {"price": log_price, "price_low": log_price - width, "price_high": log_price + width}
        return pd.DataFrame({name: np.exp(values) for name, values in columns.items()}, index=frame.index)

    def predict_rows(self, rows: Sequence[Sequence[Any]]) -> Floats:
        """What `predict` gives, to the last bit, for rows that were checked before: shape (n, 3), without a table.

        A row has the values of RAW_COLUMNS in their order: numbers, trimmed texts that are not empty, a zip code of five
        digits, a date as YYYY-MM-DD; None where it is not known.
        """
        if not rows:
            return np.empty((0, 3))
        status, bed, bath, acre, city, state, zip_code, size, sold, broker = zip(*rows, strict=True)
        zips = [value or "" for value in zip_code]
        places = zip(city, state, strict=True)
        keys: dict[str, Sequence[str]] = {
            "state": [value or "" for value in state],
            "zip3": [value[:3] for value in zips],
            "city": [f"{town}|{state or ''}" if town else "" for town, state in places],
            "zip5": zips,
            "broker": ["" if value is None else str(int(value)) for value in broker],
        }
        given = {"house_size": size, "bed": bed, "bath": bath, "acre_lot": acre}
        numbers = {name: np.array(values, dtype=np.float64) for name, values in given.items()}
        years = np.array([_sold_year(value) for value in sold], dtype=np.float64)
        zip_array = np.array([int(value) if value else -1 for value in zips], dtype=np.intp)
        found = {level: self.encoder.values_at(level, self.encoder.positions(level, keys[level])) for level in keys}
        alone = number_features(numbers, np.array(status, dtype=object), years, zip_array)
        places_and_brokers = location_features(self.encoder.start, found, self.encoder.zip_axis, zip_array)
        base = np.array([alone[name] for name in BASE_FEATURES])
        base[~np.isfinite(base)] = np.nan
        matrix = np.concatenate([base, [places_and_brokers[name] for name in LOCATION_FEATURES]]).T
        # A thread costs more than it saves.
        one_thread = {"thread_count": 1} if self.learner == "catboost" and len(rows) < 500 else {}
        log_price = np.asarray(self._trees.predict(matrix, **one_thread), dtype=np.float64)
        width = self.half_width(log_price)
        prices: Floats = np.exp(np.array([log_price, log_price - width, log_price + width])).T
        return prices

    def contributions(self, frame: pd.DataFrame) -> pd.DataFrame:
        """How each of the user's columns moves the log price: exact SHAP values, plus ``base``; rows add up to it.

        A feature made of two columns counts half for each.
        """
        values, base = self.shap_values(self.features(frame))
        return self.by_column(values, base, frame.index)

    def with_trees(self, trees: Any) -> HousePriceModel:
        """The same model with other trees of its learner, to explain them."""
        other = copy.copy(self)
        other._trees = trees
        return other

    @staticmethod
    def by_column(values: Floats, base: float, index: pd.Index) -> pd.DataFrame:
        """SHAP values (n, len(FEATURES)) added up to the user's columns, with ``base``; see `contributions`."""
        explained = {name: np.zeros(len(index)) for name in EXPLAINED}
        for position, feature in enumerate(FEATURES):
            for source in SOURCES[feature]:
                explained[source] = explained[source] + values[:, position] / len(SOURCES[feature])
        return pd.DataFrame({**explained, "base": np.full(len(index), base)}, index=index)

    def shap_values(self, features: pd.DataFrame) -> tuple[Floats, float]:
        """SHAP values of features, shape (n, len(FEATURES)), and the base value, in log units."""
        if len(features) == 0:
            return np.empty((0, len(FEATURES))), 0.0
        if self.learner == "catboost":
            import catboost

            values = self._trees.get_feature_importance(catboost.Pool(features.to_numpy()), type="ShapValues")
            return values[:, :-1], float(values[0, -1])
        return sklearn_shap(self._trees, features.to_numpy(dtype=np.float64))


def sklearn_shap(trees: Any, rows: Floats) -> tuple[Floats, float]:
    """SHAP values (n, f) and base value of scikit-learn's histogram gradient boosting, without a further package.

    The game is that of TreeSHAP (Lundberg, Erion and Lee, Consistent Individualized Feature Attribution for Tree Ensembles,
    2018): where a feature is not known, both branches count by their training homes. A leaf with value v, shares w of the
    branches to it by feature, and o = 1 where the row takes them, gives feature i v (o_i - w_i) times the integral over t from
    0 to 1 of the product of w_j (1 - t) + o_j t over the others: a polynomial, which Gauss and Legendre integrate exactly.
    """
    values = np.zeros(rows.shape)
    base = float(np.ravel(trees._baseline_prediction)[0])
    for (tree,) in trees._predictors:
        nodes = tree.nodes
        paths: list[tuple[int, dict[int, float], dict[int, npt.NDArray[np.bool_]]]] = [(0, {}, {})]
        while paths:
            place, shares, taken = paths.pop()
            node = nodes[place]
            if node["is_leaf"]:
                base += float(node["value"]) * float(np.prod(list(shares.values())))
                _add_leaf(values, float(node["value"]), shares, taken)
                continue
            feature = int(node["feature_idx"])
            column = rows[:, feature]
            left = np.where(np.isnan(column), bool(node["missing_go_to_left"]), column <= node["num_threshold"])
            for child, takes in ((int(node["left"]), left), (int(node["right"]), ~left)):
                share = shares.get(feature, 1.0) * float(nodes[child]["count"]) / float(node["count"])
                here = takes & taken[feature] if feature in taken else takes
                paths.append((child, {**shares, feature: share}, {**taken, feature: here}))
    return values, base


def _add_leaf(values: Floats, value: float, shares: Mapping[int, float], taken: Mapping[int, npt.NDArray[np.bool_]]) -> None:
    """Add what a leaf gives each feature of its path to (n, f) SHAP values."""
    if not shares:
        return
    points, weights = np.polynomial.legendre.leggauss((len(shares) + 1) // 2)
    t = ((points + 1) / 2)[:, None]
    factors = {feature: np.where(taken[feature], t, 0.0) + share * (1 - t) for feature, share in shares.items()}
    product = np.multiply.reduce(list(factors.values()))
    for feature, share in shares.items():
        integral = (weights / 2) @ (product / factors[feature])
        values[:, feature] += value * (taken[feature] - share) * integral


SKLEARN_TYPES = (
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""The classes inside a scikit-learn model of ours; a file that holds any other is not loaded."""


def _load_trees(learner: str, directory: Path) -> Any:
    if learner == "catboost":
        import catboost

        return catboost.CatBoostRegressor().load_model(str(directory / "trees.cbm"))
    import skops.io

    return skops.io.load(directory / "trees.skops", trusted=list(SKLEARN_TYPES))


def load(directory: str | Path) -> HousePriceModel:
    """The model whose data lie in a directory."""
    return HousePriceModel(Path(directory))


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """The model as MLflow loads it."""

    def load_context(self, context: Any) -> None:
        """Read the data that were logged with this file."""
        self.model = load(context.artifacts["model"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Prices with their intervals, one row for each row of the input."""
        return self.model.predict(model_input)

    def predict_rows(self, rows: Sequence[Sequence[Any]]) -> Floats:
        """See `HousePriceModel.predict_rows`."""
        return self.model.predict_rows(rows)

    def contributions(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """See `HousePriceModel.contributions`."""
        return self.model.contributions(model_input)


mlflow.models.set_model(ServedModel())
