"""Requests with the answers that the model gave in training: whoever loads the model elsewhere must get the same."""

from __future__ import annotations

from typing import Any

import pandas as pd
from house_prices.model import HousePriceModel
from house_prices.requests import golden_requests, request_frame

GOLDEN_ROWS = 200


def golden(model: HousePriceModel, frame: pd.DataFrame) -> dict[str, Any]:
    """``requests`` (n objects) and ``answers`` (n lists: price, low and high end of the interval, dollars)."""
    requests = golden_requests(frame, GOLDEN_ROWS)
    answers = model.predict(request_frame(requests))[["price", "price_low", "price_high"]]
    return {"requests": requests, "answers": answers.to_numpy().tolist()}
