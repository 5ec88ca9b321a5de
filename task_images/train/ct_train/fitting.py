"""From rows of CLEAN to a model in a directory: encodings, both learners, the better one, its intervals."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from house_prices.encoding import fit_encoder, out_of_fold_features, save_encoder
from house_prices.intervals import IntervalTable, fit_intervals
from house_prices.model import FEATURES, Encoder, HousePriceModel, build_features, load, numeric

from ct_train.learners import LEARNERS, Fitted, TrainingData

log = logging.getLogger(__name__)

FEWEST_HOMES = 50
"""Below it there is nothing to learn from."""


MOST_HOMES_TO_REFIT = 250_000
"""A fifth more homes make an error of this many no smaller that one could tell, and cost as much time again."""


class TooFewRowsError(ValueError):
    """CLEAN holds too few training rows."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A trained model, read back from its directory, and how it came about.

    ``learnt_from`` names the splits that it has learnt from. ``unseen`` are the answers for the validation and the
    calibration homes by trees that have not learnt from them, with the index of the rows.
    """

    directory: Path
    model: HousePriceModel
    chosen: Fitted
    candidates: tuple[Fitted, ...]
    intervals: IntervalTable
    learnt_from: tuple[str, ...]
    unseen: pd.DataFrame


def fit(frame: pd.DataFrame, directory: Path, seed: int) -> Outcome:
    """Choose the learner and its number of trees on ``validation``, set the intervals, and learn from all but ``test``.

    The trees that choose have learnt from ``train``; their errors on ``validation`` and ``calibration`` set the
    intervals. The model is then fitted once more with those homes, as long as they are few enough to matter; its own
    errors are a little smaller, so that its intervals err on the safe side.

    Raises TooFewRowsError below 50 training rows. Deterministic for the rows and the seed.
    """
    training = frame[frame["split"] == "train"]
    if len(training) < FEWEST_HOMES:
        raise TooFewRowsError(f"CLEAN holds {len(training)} training rows, at least {FEWEST_HOMES} are needed")
    encoder = fit_encoder(training)
    validation = frame[frame["split"] == "validation"]
    data = TrainingData(
        features=out_of_fold_features(training),
        target=np.log(numeric(training, "price")),
        validation_features=build_features(validation, encoder),
        validation_target=np.log(numeric(validation, "price")),
    )
    candidates = tuple(learn(data, seed) for learn in LEARNERS)
    for candidate in candidates:
        log.info(
            "%s: %d iterations, mean absolute log error %.4f on validation",
            candidate.name, candidate.iterations, candidate.validation_error,
        )  # fmt: skip
    chosen = min(candidates, key=lambda candidate: candidate.validation_error)
    description = {"format": 1, "learner": chosen.name, "features": list(FEATURES), "seed": seed}
    others = frame[frame["split"].isin(("validation", "calibration"))]
    # Without other homes the intervals are those of the training homes: too narrow, and still better than none.
    trial = _write(directory, description, chosen, encoder, None)
    calibration = others if len(others) else training
    intervals = fit_intervals(trial.predict_log(trial.features(calibration)), np.log(numeric(calibration, "price")))
    trial = _write(directory, description, chosen, encoder, intervals)
    unseen = trial.predict(others)
    learnt_from: tuple[str, ...] = ("train",)
    if len(others) and len(training) + len(others) <= MOST_HOMES_TO_REFIT:
        learnt_from = ("train", "validation", "calibration")
        training = frame[frame["split"].isin(learnt_from)]
        trees = chosen.again(out_of_fold_features(training), np.log(numeric(training, "price")))
        chosen, encoder = replace(chosen, trees=trees), fit_encoder(training)
    return Outcome(
        directory=directory,
        model=_write(directory, description, chosen, encoder, intervals),
        chosen=chosen,
        candidates=candidates,
        intervals=intervals,
        learnt_from=learnt_from,
        unseen=unseen,
    )


def _write(
    directory: Path, description: dict[str, object], chosen: Fitted, encoder: Encoder, intervals: IntervalTable | None
) -> HousePriceModel:
    """Write all that a model is made of and read it back; without intervals they are open."""
    chosen.save(directory)
    save_encoder(encoder, str(directory / "encodings.npz"))
    interval = (intervals or IntervalTable(0.9, [], [0.0], [0])).as_json()
    (directory / "model.json").write_text(json.dumps({**description, "interval": interval}, indent=1), encoding="utf-8")
    return load(directory)
