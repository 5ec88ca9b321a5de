"""The champion and the version before it, scored now on the same labelled homes that are new to both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_decisions.bootstrap import Clusters, relative_change
from ct_decisions.policy import Policy
from ct_decisions.registry import Registry, Version
from ct_decisions.rollback import Errors
from ct_store.connection import Connection
from house_prices.frames import read_listings
from house_prices.model import Floats
from house_prices.requests import request_frame
from house_prices.scoring import areas, score

from ct_evaluate.served import RealPrices

log = logging.getLogger(__name__)

Predict = Callable[[Any], pd.DataFrame]

UNKNOWN_AREA = "?"
"""Where a request names no zip code."""


@dataclass(frozen=True)
class Rivals:
    """The two versions, loaded when they are first asked. Raises BadDataError then if one does not load."""

    registry: Registry
    champion: Version
    previous: Version

    @cached_property
    def models(self) -> tuple[Any, Any]:
        """Champion and previous version as MLflow models."""
        return self.registry.load(self.champion), self.registry.load(self.previous)


@dataclass(frozen=True)
class _Part:
    """Absolute log errors of both on (n,) homes, NaN where an answer is not sound, and the homes' zip codes."""

    champion: Floats
    previous: Floats
    area: npt.NDArray[np.object_]


def errors_on_new_homes(connection: Connection, rivals: Rivals, policy: Policy) -> Errors:
    """The homes of the batches that neither version was trained on, without those that were known before.

    Nothing is loaded if they are fewer than the policy asks for.
    """
    if not rivals.champion.batch_ids or not rivals.previous.batch_ids:
        log.warning("one of the two versions does not say what it was trained on, so no homes are known to be new to it")
        return Errors()
    known = [*rivals.champion.batch_ids, *rivals.previous.batch_ids]
    rows = connection.execute(
        "SELECT batch_id, count(*) AS homes, array_agg(DISTINCT zip_code) AS areas FROM clean.listings "
        "WHERE NOT relisted AND batch_id <> ALL(%s) GROUP BY 1 ORDER BY 1",
        (known,),
    ).fetchall()
    homes, found = sum(row["homes"] for row in rows), {area for row in rows for area in row["areas"]}
    if not _enough(policy, homes, len(found)):
        return Errors(rows=homes, areas=len(found))
    return _compared(list(_score_batches(connection, rivals, [row["batch_id"] for row in rows])), policy)


def errors_on_real_prices(rivals: Rivals, found: RealPrices, policy: Policy) -> Errors:
    """The requests whose real price came back; nothing is loaded if they are fewer than the policy asks for."""
    area = np.array([request["zip_code"] or UNKNOWN_AREA for request in found.requests], dtype=object)
    if not _enough(policy, len(area), len(set(area))):
        return Errors(rows=len(area), areas=len(set(area)))
    frame, price = request_frame(found.requests), np.array(found.prices, dtype=np.float64)
    ours, theirs = (_absolute_log_error(model.predict(frame), price) for model in rivals.models)
    return _compared([_Part(ours, theirs, area)], policy)


def _enough(policy: Policy, rows: int, zip_codes: int) -> bool:
    return rows >= policy.rollback.quality_rows and zip_codes >= policy.rollback.quality_areas


def _score_batches(connection: Connection, rivals: Rivals, batches: list[int]) -> Iterator[_Part]:
    for batch in batches:
        frame = read_listings(connection, batch_ids=[batch])
        frame = frame[~frame["relisted"]].reset_index(drop=True)
        ours, theirs = (score(model, frame) for model in rivals.models)
        yield _Part(
            _absolute_log_error(ours.answers, ours.price), _absolute_log_error(theirs.answers, theirs.price), areas(frame)
        )


def _absolute_log_error(answers: pd.DataFrame, price: Floats) -> Floats:
    """|log(answer) - log(price)| of (n,) homes, NaN where the answer is no finite positive number."""
    answer = answers["price"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.abs(np.log(np.where(np.isfinite(answer) & (answer > 0), answer, np.nan)) - np.log(price))
    return found


def _compared(parts: list[_Part], policy: Policy) -> Errors:
    ours, theirs = (np.concatenate([getattr(part, name) for part in parts]) for name in ("champion", "previous"))
    area = np.concatenate([part.area for part in parts])
    both = np.isfinite(ours) & np.isfinite(theirs)
    unsound, rows = int(np.count_nonzero(~both)), int(np.count_nonzero(both))
    zip_codes = len(set(area[both]))
    if not rows or not theirs[both].any():
        return Errors(rows=rows, areas=zip_codes, unsound=unsound)
    change = relative_change(ours[both], theirs[both], Clusters(pd.factorize(area[both])[0]), policy.bootstrap)
    return Errors(change, rows, zip_codes, unsound)
