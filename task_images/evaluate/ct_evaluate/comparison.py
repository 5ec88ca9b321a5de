"""Champion, challenger and baseline on the hold-out: every gate and every metric, none left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_contract import BadDataError
from ct_decisions import promotion
from ct_decisions.bootstrap import Clusters, Estimate, mean, relative_change
from ct_decisions.evidence import Gate
from ct_decisions.policy import Policy
from ct_decisions.registry import Version
from house_prices.frames import frame_digest
from house_prices.metrics import metrics
from house_prices.model import Floats
from house_prices.scoring import Scored, areas, baseline, score

Rows = npt.NDArray[np.bool_]

HOLD_OUT = "hold-out"
NEW_BATCH = "new batch"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured: gates in the order in which they take the headline, and metrics by role and data set.

    ``rows`` is the size of the hold-out, ``compared`` on how many of its rows both models give a sound price.
    """

    gates: list[Gate]
    evaluations: list[dict[str, Any]]
    rows: int
    compared: int


@dataclass(frozen=True, kw_only=True)
class Contestants:
    """The models that are compared, as MLflow pyfuncs; no champion for a first model."""

    challenger: Version
    challenger_model: Any
    champion: Version | None
    champion_model: Any


class _Errors:
    """The errors of one model on (n,) rows; meaningless where its answer is not sound."""

    def __init__(self, scored: Scored) -> None:
        self.sound = scored.sound
        self.inside = scored.inside
        with np.errstate(invalid="ignore", divide="ignore"):
            self.absolute = np.abs(scored.error)
            self.square = scored.error**2
            self.log = scored.log_error


class _Intervals:
    """Statistics of some of the hold-out's rows with their intervals; None where there is nothing to measure."""

    def __init__(self, holdout: pd.DataFrame, policy: Policy) -> None:
        _, self.labels = np.unique(areas(holdout), return_inverse=True)
        self.policy = policy.bootstrap

    def change(self, ours: Floats, theirs: Floats | None, rows: Rows, *, root: bool = False) -> Estimate | None:
        if theirs is None or not rows.any():
            return None
        return relative_change(ours[rows], theirs[rows], Clusters(self.labels[rows]), self.policy, root=root)

    def mean(self, values: Floats, rows: Rows) -> Estimate | None:
        return mean(values[rows], Clusters(self.labels[rows]), self.policy) if rows.any() else None


def compare(
    contestants: Contestants,
    *,
    holdout: pd.DataFrame,
    train: pd.DataFrame,
    new_batches: Sequence[int],
    calibration_rows: int,
    policy: Policy,
) -> Comparison:
    """Judge the challenger on the hold-out rows.

    ``train`` are the rows that it was trained on, ``new_batches`` the batches that the champion has not seen,
    ``calibration_rows`` how many homes its intervals were fitted on. Raises BadDataError if the champion gives no sound
    price at all: then there is nothing to compare with, and nothing is promoted.
    """
    scored: dict[str, tuple[str, Scored]] = {
        "challenger": (contestants.challenger.number, score(contestants.challenger_model, holdout))
    }
    if contestants.champion is not None:
        scored["champion"] = (contestants.champion.number, _champion(contestants.champion, contestants.champion_model, holdout))
    price = scored["challenger"][1].price
    by_hand = baseline(train, holdout)
    ours = _Errors(scored["challenger"][1])
    theirs = _Errors(scored["champion"][1]) if "champion" in scored else None
    rules, measured = policy.promotion, _Intervals(holdout, policy)
    is_new = holdout["batch_id"].isin(list(new_batches)).to_numpy()
    own = ours.sound
    both = own & theirs.sound if theirs else own
    absolute = theirs.absolute if theirs else None
    gates = [
        promotion.leakage(len(set(holdout["property_key"]) & set(train["property_key"]))),
        promotion.sound_answers(int(np.count_nonzero(~own))),
        promotion.floor(rules, measured.change(ours.absolute, np.abs(by_hand - price), own)),
        promotion.superiority(rules, measured.change(ours.absolute, absolute, both)),
        promotion.rmse(rules, measured.change(ours.square, theirs.square if theirs else None, both, root=True)),
        promotion.relative_error(rules, measured.change(np.abs(ours.log), np.abs(theirs.log) if theirs else None, both)),
        promotion.bias(rules, measured.mean(ours.log, own), measured.mean(theirs.log, both) if theirs else None),
        promotion.intervals(rules, measured.mean(ours.inside, own), calibration_rows),
        promotion.area(rules, measured.change(ours.absolute, absolute, both & is_new), int(np.count_nonzero(both & is_new))),
        promotion.rest(rules, measured.change(ours.absolute, absolute, both & ~is_new)),
    ]
    scored["baseline"] = ("0", Scored(price, pd.DataFrame({"price": by_hand, "price_low": by_hand, "price_high": by_hand})))
    return Comparison(
        gates=gates,
        evaluations=_evaluations(scored, holdout, is_new),
        rows=len(holdout),
        compared=int(np.count_nonzero(both)),
    )


def _champion(version: Version, model: Any, holdout: pd.DataFrame) -> Scored:
    scored = score(model, holdout)
    if not scored.sound.any():
        raise BadDataError(
            "CHAMPION_UNSOUND",
            f"version {version.number} in production gives no sound price for any of {len(holdout)} hold-out rows, so nothing "
            "can be compared with it. Nothing was decided: move the alias production to a version that works, or remove it.",
        )
    return scored


def _evaluations(scored: dict[str, tuple[str, Scored]], holdout: pd.DataFrame, is_new: Rows) -> list[dict[str, Any]]:
    """Metrics of each model where its answers are sound, beside the count of those that are not."""
    lines = []
    for dataset, rows in ((HOLD_OUT, np.ones(len(holdout), dtype=bool)), (NEW_BATCH, is_new)):
        if not rows.any():
            continue
        # Without the batch ids, which a database gives out and a killed try may have used up.
        digest = frame_digest(holdout[rows].drop(columns="batch_id").reset_index(drop=True))
        for role, (version, answers) in scored.items():
            sound = answers.take(rows & answers.sound)
            found = metrics(sound.price, sound.answers)
            if role == "baseline":
                found.pop("coverage", None)
            else:
                found["unsound_answers"] = float(np.count_nonzero(rows & ~answers.sound))
            lines.append(
                {
                    "model_version": version,
                    "role": role,
                    "dataset": dataset,
                    "dataset_digest": digest,
                    "row_count": int(rows.sum()),
                    "metrics": found,
                }
            )
    return lines
