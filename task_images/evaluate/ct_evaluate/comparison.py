"""Champion, challenger and baseline on the hold-out: every gate and every metric, none left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
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

from ct_evaluate.diagnostics import diagnose
from ct_evaluate.ratio_study import ratio_study
from ct_evaluate.slices import changes, dimensions
from ct_evaluate.suspicion import most_telling_column, r2_log

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.bool_]

FIFTHS = 5
HOLD_OUT = "hold-out"
NEW_BATCH = "new batch"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured: gates in the order in which they take the headline, and metrics by role and data set.

    ``rows`` is the size of the hold-out, ``compared`` on how many of its rows both models give a sound price;
    ``diagnostics`` say how the models err on those.
    """

    gates: list[Gate]
    evaluations: list[dict[str, Any]]
    diagnostics: list[dict[str, Any]]
    rows: int
    compared: int


@dataclass(frozen=True, kw_only=True)
class Contestants:
    """The models that are compared, as MLflow pyfuncs; no champion for a first model, no challenger that does not load."""

    challenger: Version
    challenger_model: Any
    champion: Version | None
    champion_model: Any


class _Errors:
    """The errors of one model on (n,) rows; meaningless where its answer is not sound."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
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

    def fifths(self, values: Floats, answers: Floats, rows: Rows) -> list[Estimate]:
        """Means in the fifths of the answers, cheapest first.

        The worst of five is judged, so the five intervals hold at once with the policy's confidence (Bonferroni): with each
        at that confidence, of the models that just hold what is asked one in eight would fail by luck.
        """
        chosen = np.flatnonzero(rows)
        order = chosen[np.argsort(answers[chosen], kind="stable")]
        parts = np.array_split(order, FIFTHS) if len(order) >= FIFTHS else []
        at_once = replace(self.policy, confidence=1 - (1 - self.policy.confidence) / FIFTHS)
        return [mean(values[part], Clusters(self.labels[part]), at_once) for part in parts]


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

    ``train`` are the rows that it was trained on (price, house_size, zip_code, state), ``new_batches`` the batches that the
    champion has not seen, ``calibration_rows`` how many homes its intervals were fitted on. Raises BadDataError if the
    champion gives no sound price at all: then there is nothing to compare with, and nothing is promoted.
    """
    scored: dict[str, tuple[str, Scored]] = {
        "challenger": (contestants.challenger.number, _challenger(contestants.challenger_model, holdout))
    }
    if contestants.champion is not None:
        scored["champion"] = (contestants.champion.number, _champion(contestants.champion, contestants.champion_model, holdout))
    price = scored["challenger"][1].price
    by_hand = baseline(train, holdout)
    ours = _Errors(scored["challenger"][1])
    theirs = _Errors(scored["champion"][1]) if "champion" in scored else None
    is_new = holdout["batch_id"].isin(list(new_batches)).to_numpy()
    both = ours.sound & theirs.sound if theirs else ours.sound
    measured = _Intervals(holdout, policy)
    gates = [
        promotion.sound_answers(int(np.count_nonzero(~ours.sound))),
        promotion.floor(policy.promotion, measured.change(ours.absolute, np.abs(by_hand - price), ours.sound)),
        *_against_champion(policy, measured, ours, theirs, both),
        _slices(policy, measured, holdout, ours, theirs, rows=both, is_new=is_new),
        *_intervals(policy, measured, ours, calibration_rows),
        *_new_and_rest(policy, measured, ours, theirs, rows=both, is_new=is_new),
        *_suspicions(policy, holdout, ours, theirs, rows=both & ~is_new),
    ]
    diagnostics = diagnose(scored, both)
    scored["baseline"] = ("0", Scored(price, pd.DataFrame({"price": by_hand, "price_low": by_hand, "price_high": by_hand})))
    return Comparison(
        gates=gates,
        evaluations=_evaluations(scored, holdout, is_new),
        diagnostics=diagnostics,
        rows=len(holdout),
        compared=int(np.count_nonzero(both)),
    )


def _against_champion(policy: Policy, measured: _Intervals, ours: _Errors, theirs: _Errors | None, both: Rows) -> list[Gate]:
    """Superiority and what may not get worse, on all rows that both price."""
    rules = policy.promotion
    absolute, square, log_size = (
        (theirs.absolute, theirs.square, np.abs(theirs.log)) if theirs is not None else (None, None, None)
    )
    studies = [_study(ours, both), _study(theirs, both) if theirs else {}]
    return [
        promotion.superiority(rules, measured.change(ours.absolute, absolute, both)),
        promotion.rmse(rules, measured.change(ours.square, square, both, root=True)),
        promotion.relative_error(rules, measured.change(np.abs(ours.log), log_size, both)),
        promotion.bias(rules, measured.mean(ours.log, ours.sound), measured.mean(theirs.log, both) if theirs else None),
        *(promotion.equity(rules, name, *(study.get(name) for study in studies)) for name in ("prd", "prb")),
    ]


def _study(errors: _Errors, rows: Rows) -> dict[str, float]:
    return ratio_study(errors.scored.price[rows], errors.scored.answers["price"].to_numpy(dtype=np.float64)[rows])


def _slices(
    policy: Policy,
    measured: _Intervals,
    holdout: pd.DataFrame,
    ours: _Errors,
    theirs: _Errors | None,
    *,
    rows: Rows,
    is_new: Rows,
) -> Gate:
    found = []
    if theirs is not None and rows.any():
        answers = [errors.scored.answers["price"].to_numpy(dtype=np.float64)[rows] for errors in (ours, theirs)]
        for name, parts in dimensions(holdout[rows], (answers[0] + answers[1]) / 2, is_new[rows]):
            found += changes(ours.absolute[rows], theirs.absolute[rows], measured.labels[rows], name, parts)
    return promotion.slices(policy.promotion, found, policy.bootstrap.confidence)


def _intervals(policy: Policy, measured: _Intervals, ours: _Errors, calibration_rows: int) -> list[Gate]:
    answers = ours.scored.answers["price"].to_numpy(dtype=np.float64)
    return [
        promotion.intervals(policy.promotion, measured.mean(ours.inside, ours.sound), calibration_rows),
        promotion.interval_fifths(policy.promotion, measured.fifths(ours.inside, answers, ours.sound)),
    ]


def _new_and_rest(
    policy: Policy, measured: _Intervals, ours: _Errors, theirs: _Errors | None, *, rows: Rows, is_new: Rows
) -> list[Gate]:
    absolute = theirs.absolute if theirs is not None else None
    new, rest = rows & is_new, rows & ~is_new
    return [
        promotion.area(policy.promotion, measured.change(ours.absolute, absolute, new), int(np.count_nonzero(new))),
        promotion.rest(policy.promotion, measured.change(ours.absolute, absolute, rest)),
    ]


def _suspicions(policy: Policy, holdout: pd.DataFrame, ours: _Errors, theirs: _Errors | None, *, rows: Rows) -> list[Gate]:
    """What is too good to be true; ``rows`` are those of batches that the champion knows."""
    scores = [None if errors is None else r2_log(errors.scored.take(rows)) for errors in (ours, theirs)]
    return [
        promotion.too_good(policy.promotion, *scores),
        promotion.single_column(policy.promotion, *most_telling_column(holdout)),
    ]


def _challenger(model: Any, holdout: pd.DataFrame) -> Scored:
    """The challenger's answers; none is sound where it does not load or raises, and the gates say so."""
    if model is not None:
        try:
            return score(model, holdout)
        except Exception:
            log.exception("the challenger raised on the hold-out; none of its answers is counted as sound")
    nothing = dict.fromkeys(("price", "price_low", "price_high"), np.full(len(holdout), np.nan))
    return Scored(holdout["price"].to_numpy(dtype=np.float64), pd.DataFrame(nothing))


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
            found |= ratio_study(sound.price, sound.answers["price"].to_numpy(dtype=np.float64))
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
