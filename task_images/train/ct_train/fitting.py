"""From rows of CLEAN to a model in a directory: encodings, both learners, the better one, its intervals."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from house_prices.encoding import fit_encoder, out_of_fold_features, save_encoder, targets
from house_prices.intervals import IntervalTable, fit_intervals
from house_prices.model import FEATURES, HousePriceModel, build_features, load, location_keys, numeric, text

from ct_train.learners import LEARNERS, Fitted, TrainingData

log = logging.getLogger(__name__)

FEWEST_HOMES = 50
"""Below it there is nothing to learn from."""


class TooFewRowsError(ValueError):
    """CLEAN holds too few training rows."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A trained model, read back from its directory, and how it came about."""

    directory: Path
    model: HousePriceModel
    chosen: Fitted
    candidates: tuple[Fitted, ...]
    intervals: IntervalTable


def fit(frame: pd.DataFrame, directory: Path, seed: int) -> Outcome:
    """Train on the rows of split ``train``, choose on ``validation``, set the intervals on both others.

    Raises TooFewRowsError below 50 training rows. Deterministic for the rows and the seed.
    """
    parts = {name: frame[frame["split"] == name] for name in ("train", "validation", "calibration")}
    training = parts["train"]
    if len(training) < FEWEST_HOMES:
        raise TooFewRowsError(f"CLEAN holds {len(training)} training rows, at least {FEWEST_HOMES} are needed")
    encoder = fit_encoder(location_keys(training), targets(training))
    data = TrainingData(
        features=out_of_fold_features(training),
        target=np.log(numeric(training, "price")),
        validation_features=build_features(parts["validation"], encoder),
        validation_target=np.log(numeric(parts["validation"], "price")),
    )
    candidates = tuple(learn(data, seed) for learn in LEARNERS)
    for candidate in candidates:
        log.info(
            "%s: %d iterations, mean absolute log error %.4f on validation",
            candidate.name, candidate.iterations, candidate.validation_error,
        )  # fmt: skip
    chosen = min(candidates, key=lambda candidate: candidate.validation_error)
    chosen.save(directory)
    save_encoder(encoder, str(directory / "encodings.npz"))
    (directory / "domain.json").write_text(json.dumps(domain(training)), encoding="utf-8")
    description = {"format": 1, "learner": chosen.name, "features": list(FEATURES), "seed": seed}
    open_table = IntervalTable(0.9, [], [0.0], [0])
    _describe(directory, description, open_table)
    model = load(directory)
    # The validation homes only chose the number of trees; with them the intervals rest on twice as many.
    calibration = pd.concat([parts["calibration"], parts["validation"]])
    calibration = calibration if len(calibration) else training
    intervals = fit_intervals(model.predict_log(model.features(calibration)), np.log(numeric(calibration, "price")))
    _describe(directory, description, intervals)
    return Outcome(directory=directory, model=load(directory), chosen=chosen, candidates=candidates, intervals=intervals)


def domain(training: pd.DataFrame) -> dict[str, Any]:
    """What the model has seen, for warnings about what it has not: known texts, and ranges from p0.1 to p99.9."""
    texts = {name: text(training, name) for name in ("status", "state", "city", "zip_code")}
    quantiles = training[["bed", "bath", "acre_lot", "house_size"]].quantile([0.001, 0.999]).dropna(axis="columns")
    return {
        "known": {name: sorted(set(values[values != ""])) for name, values in texts.items()},
        "ranges": {str(name): [float(value) for value in quantiles[name]] for name in quantiles.columns},
    }


def _describe(directory: Path, description: dict[str, object], intervals: IntervalTable) -> None:
    text = json.dumps({**description, "interval": intervals.as_json()}, indent=1)
    (directory / "model.json").write_text(text, encoding="utf-8")
