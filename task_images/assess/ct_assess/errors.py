"""How the champion errs on homes that are new to it, and what of them it has never seen.

Answers are kept, rows are not: batches are read and scored one after the other, so that the memory is that of the largest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_decisions.bootstrap import Clusters, Estimate, mean, median, ratio_of_means
from ct_decisions.evidence import Signal
from ct_decisions.judging import judge_estimate, judge_value, not_judged
from ct_decisions.policy import Policy
from house_prices.monitored import UNSEEN
from house_prices.scoring import areas, score

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.object_]

MOST_VALUES = 10
"""Of the values that were never seen, how many are named."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The champion's answers on (n,) homes: log(answer) - log(price), and whether the price lies inside the interval.

    ``sound`` is false where the answer is no finite positive price inside its interval; the other two mean nothing there.
    """

    price: Floats
    log_error: Floats
    inside: Floats
    sound: Flags
    area: Labels
    status: Labels
    state: Labels


def answer(model: Any, frame: pd.DataFrame) -> Answers:
    """Score a frame of CLEAN."""
    scored = score(model, frame)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_error = scored.log_error
    return Answers(
        price=scored.price, log_error=log_error, inside=scored.inside, sound=scored.sound, area=areas(frame),
        status=_texts(frame, "status"), state=_texts(frame, "state"),
    )  # fmt: skip


def _texts(frame: pd.DataFrame, name: str) -> Labels:
    labels: Labels = frame[name].astype(object).to_numpy()
    return labels


def joined(parts: Iterable[Answers]) -> Answers:
    """Answers of several frames as one. At least one part."""
    found = list(parts)
    names = Answers.__dataclass_fields__
    return Answers(**{name: np.concatenate([getattr(part, name) for part in found]) for name in names})


def error_signals(policy: Policy, new: Answers, reference: Answers) -> list[Signal]:
    """Error ratio, bias and coverage on the homes for which the champion gives a sound price, and the share of the others."""
    limits, bootstrap = policy.retrain, policy.bootstrap
    note = {"rows": int(new.sound.sum()), "reference_rows": int(reference.sound.sum())}
    found: dict[str, Estimate] = {}
    if note["rows"]:
        clusters = Clusters(pd.factorize(new.area[new.sound])[0])
        log_error = new.log_error[new.sound]
        if note["reference_rows"]:
            found["error_ratio"] = ratio_of_means(
                np.abs(log_error), clusters, np.abs(reference.log_error[reference.sound]),
                Clusters(pd.factorize(reference.area[reference.sound])[0]), bootstrap,
            )  # fmt: skip
        found["log_bias"] = median(log_error, clusters, bootstrap)
        found["interval_coverage"] = mean(new.inside[new.sound], clusters, bootstrap)
    signals = [
        judge_estimate(limits, name, found[name], note) if name in found else not_judged(limits, name, note)
        for name in ("error_ratio", "log_bias", "interval_coverage")
    ]
    unsound = float(np.mean(~new.sound)) if len(new.sound) else 0.0
    return [*signals, judge_value(limits, "unsound_answers", unsound)]


def novelty_signals(policy: Policy, new: Answers, support: tuple[float, float], seen: Mapping[str, set[str]]) -> list[Signal]:
    """Shares of the homes whose price lies outside ``support`` (dollars), or whose category is not in ``seen``, by signal."""
    limits, bootstrap = policy.retrain, policy.bootstrap
    clusters = Clusters(pd.factorize(new.area)[0])
    low, high = support
    outside = ((new.price < low) | (new.price > high)).astype(np.float64)
    signals = [judge_estimate(limits, "outside_support", mean(outside, clusters, bootstrap), {"low": low, "high": high})]
    for name in UNSEEN:
        codes, values = pd.factorize(_category(new, name), use_na_sentinel=False)
        unseen = np.array([value not in seen[name] for value in values], dtype=np.bool_)[codes]
        counts = pd.Series(np.asarray(values, dtype=object)[codes[unseen]]).value_counts()
        named = sorted(counts.index, key=lambda value: (-counts[value], str(value)))[:MOST_VALUES]
        share = mean(unseen.astype(np.float64), clusters, bootstrap)
        signals.append(judge_estimate(limits, name, share, {"values": [str(value) for value in named]}))
    return signals


def _category(new: Answers, signal: str) -> Labels:
    """The value by which a home is new, of shape (n,)."""
    if signal == "unseen_zip3":
        return pd.Series(new.area).str[:3].to_numpy(dtype=object)
    return new.status if signal == "unseen_status" else new.state
