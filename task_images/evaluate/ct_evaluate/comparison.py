"""Champion, challenger and baseline on the hold-out: every gate and every metric, none left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from ct_decisions import promotion
from ct_decisions.bootstrap import Clusters, Estimate, mean, relative_change
from ct_decisions.evidence import Gate
from ct_decisions.policy import Policy
from ct_decisions.registry import Version
from house_prices.frames import frame_digest
from house_prices.metrics import metrics
from house_prices.model import Floats
from house_prices.scoring import Scored, areas, baseline, score

HOLD_OUT = "hold-out"
NEW_BATCH = "new batch"


@dataclass(frozen=True)
class Comparison:
    """What was measured: gates in the order in which they take the headline, and metrics by role and data set."""

    gates: list[Gate]
    evaluations: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Contestants:
    """The models that are compared, as MLflow pyfuncs; no champion for a first model."""

    challenger: Version
    challenger_model: Any
    champion: Version | None
    champion_model: Any


def compare(
    contestants: Contestants, *, holdout: pd.DataFrame, train: pd.DataFrame, new_batches: Sequence[int], policy: Policy
) -> Comparison:
    """Judge the challenger on the hold-out rows.

    ``train`` are the rows that it was trained on, ``new_batches`` those that the champion has not seen.
    """
    challenger = score(contestants.challenger_model, holdout)
    champion = None if contestants.champion is None else score(contestants.champion_model, holdout)
    simple = baseline(train, holdout)
    rules, clusters = policy.promotion, Clusters(areas(holdout))

    def change(ours: Floats, theirs: Floats, *, root: bool = False) -> Estimate:
        return relative_change(ours, theirs, clusters, policy.bootstrap, root=root)

    against_simple = change(np.abs(challenger.error), np.abs(simple - challenger.price))
    mae = rmse = relative = champion_bias = None
    if champion is not None:
        mae = change(np.abs(challenger.error), np.abs(champion.error))
        rmse = change(challenger.error**2, champion.error**2, root=True)
        relative = change(np.abs(challenger.log_error), np.abs(champion.log_error))
        champion_bias = mean(champion.log_error, clusters, policy.bootstrap)
    is_new = holdout["batch_id"].isin(list(new_batches)).to_numpy()
    gates = [
        promotion.leakage(len(set(holdout["property_key"]) & set(train["property_key"]))),
        promotion.sound_answers(challenger.unsound),
        promotion.floor(rules, against_simple),
        promotion.superiority(rules, mae),
        promotion.rmse(rules, rmse),
        promotion.relative_error(rules, relative),
        promotion.bias(rules, mean(challenger.log_error, clusters, policy.bootstrap), champion_bias),
        promotion.intervals(rules, mean(challenger.inside, clusters, policy.bootstrap)),
        promotion.area(rules, _part(challenger, champion, holdout, is_new, policy), int(is_new.sum())),
        promotion.rest(rules, _part(challenger, champion, holdout, ~is_new, policy)),
    ]
    scored: dict[str, tuple[str, Scored]] = {"challenger": (contestants.challenger.number, challenger)}
    if champion is not None and contestants.champion is not None:
        scored["champion"] = (contestants.champion.number, champion)
    by_hand = pd.DataFrame({"price": simple, "price_low": np.nan, "price_high": np.nan})
    scored["baseline"] = ("0", Scored(challenger.price, by_hand))
    return Comparison(gates, _evaluations(scored, holdout, is_new))


def _part(challenger: Scored, champion: Scored | None, holdout: pd.DataFrame, rows: Any, policy: Policy) -> Estimate | None:
    """The change of the MAE on some of the rows, or None without a champion or without rows."""
    if champion is None or not rows.any():
        return None
    clusters = Clusters(areas(holdout[rows]))
    return relative_change(np.abs(challenger.error[rows]), np.abs(champion.error[rows]), clusters, policy.bootstrap)


def _evaluations(scored: dict[str, tuple[str, Scored]], holdout: pd.DataFrame, is_new: Any) -> list[dict[str, Any]]:
    lines = []
    for dataset, rows in ((HOLD_OUT, np.ones(len(holdout), dtype=bool)), (NEW_BATCH, is_new)):
        if not rows.any():
            continue
        digest = frame_digest(holdout[rows].reset_index(drop=True))
        for role, (version, answers) in scored.items():
            found = metrics(answers.price[rows], answers.answers[rows])
            if role == "baseline":
                found.pop("coverage")
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
