"""What people asked the API lately, asked again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from ct_store.connection import Connection
from house_prices.requests import as_request, request_frame

log = logging.getLogger(__name__)

Request = dict[str, Any]


def recent_requests(connection: Connection, most: int) -> list[Request]:
    """The homes of at most ``most`` requests that were answered last, newest first, as the API reads them."""
    rows = connection.execute(
        "SELECT input FROM raw.inferences WHERE status = 'ok' AND role = 'primary' AND jsonb_typeof(input) = 'object' "
        "ORDER BY received_at DESC, request_id, row_number LIMIT %s",
        (most,),
    ).fetchall()
    return [as_request(row["input"]) for row in rows]


def moved_share(challenger: Any, champion: Any, requests: Sequence[Request], move: float) -> float | None:
    """The share of requests whose price changes by more than ``move``, relative to the champion's; None without any.

    Both models are asked now. A request that only one of them prices has moved. A model that raises has moved nothing that
    could be counted; the gates about its answers say so.
    """
    if not requests or challenger is None or champion is None:
        return None
    frame = request_frame(requests)
    try:
        ours, theirs = (np.asarray(model.predict(frame)["price"], dtype=np.float64) for model in (challenger, champion))
    except Exception:
        log.exception("recent requests could not be asked again")
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        near = np.abs(ours / theirs - 1) <= move
    neither = ~np.isfinite(ours) & ~np.isfinite(theirs)
    return float(np.mean(~(near | neither)))
