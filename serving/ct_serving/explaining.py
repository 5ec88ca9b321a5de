"""POST /explain: what moves a price away from the model's base price, as exact SHAP values in log units and as money.

The rows are priced by ``/predict``: an explanation is of the price that was answered, and is kept on record as one
inference with it. A client that sends the request id of a price it already has explains that price, and no second
inference is kept.

Money. The model adds in log units, ln(price) = ln(base) + sum(phi). Each part as dollars is phi times the logarithmic
mean of price and base price, L = (price - base) / (ln(price) - ln(base)), so that the parts add up to price - base price
exactly and keep their signs and proportions. This is the additive LMDI-I decomposition (B. W. Ang, "The LMDI approach to
decomposition analysis: a practical guide", Energy Policy 33, 2005, 867-871). exp(phi) is the part as a factor.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ct_serving.bounded import BoundedPool, BusyError
from ct_serving.inner import ask_predict
from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder, frame
from ct_serving.predicting import PredictRoute
from ct_serving.refusals import RouteError, json_answer, read_body, try_later
from ct_serving.schemas import EXAMPLE, MAX_EXPLAINED, Property, parse_property, problem

logger = logging.getLogger(__name__)

TOLERANCE = 1e-6
"""How far the parts may add up from the logarithm of the price."""


class NotExplainableError(Exception):
    """The model that answers cannot say what its prices are made of."""


class NotAdditiveError(Exception):
    """The parts do not add up to the price: the explanation is wrong and is not given."""


class ExplainRoute:
    """The route's dependencies and its work."""

    def __init__(self, predict: PredictRoute, holder: ModelHolder, pool: BoundedPool, metrics: Metrics) -> None:
        self._predict = predict
        self._holder = holder
        self._pool = pool
        self._metrics = metrics

    async def __call__(self, request: Request) -> Response:
        """Explain one property, or up to MAX_EXPLAINED as ``instances``. Raises RouteError: 413, 422, 500, 501, 503."""
        body = await read_body(request.receive)
        instances = _instances(body)
        count = len(instances or [None])
        try:
            with self._pool.place():
                return await self._explained(request, body, instances)
        except BusyError as error:
            self._metrics.explanations.labels("busy").inc(count)
            raise try_later("server", f"no explanation can be computed now: {error}; nothing was priced", 2) from error

    async def _explained(self, request: Request, body: bytes, instances: list[Any] | None) -> Response:
        before = self._holder.current
        status, content, headers = await ask_predict(self._predict, request, body)
        if status != 200:
            self._metrics.explanations.labels("unpriced").inc()
            return json_answer(content, status, headers)
        model = self._answering(content["model"]["version"], before)
        given = [orjson.loads(body)] if instances is None else instances
        answers = [content] if instances is None else content["predictions"]
        explanations = await self._pool.run(lambda: self._explain(model, given, answers))
        if instances is None:
            return json_answer({**content, **explanations[0]})
        rows = [{**answer, **explanation} for answer, explanation in zip(answers, explanations, strict=True)]
        return json_answer({"request_id": content["request_id"], "model": content["model"], "explanations": rows})

    def _answering(self, version: str, before: LoadedModel | None) -> LoadedModel:
        """The model that priced the rows: the one from before the question, or the one that has replaced it meanwhile."""
        for model in (before, self._holder.current):
            if model is not None and model.version == version:
                return model
        raise try_later("model", f"version {version} was replaced while it answered", 1)

    def _explain(self, model: LoadedModel, given: Sequence[Any], answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        started = time.perf_counter()
        rows = [(parse_property(one), answer["price"]) for one, answer in zip(given, answers, strict=True)]
        priced = [(row, price) for row, price in rows if isinstance(row, Property) and price is not None]
        try:
            parts = iter(explain(model, [row for row, _ in priced], [price for _, price in priced]))
        except NotExplainableError as error:
            self._metrics.explanations.labels("failed").inc(len(priced))
            raise RouteError(501, [problem("model", str(error))]) from error
        except NotAdditiveError as error:
            self._metrics.explanations.labels("not_additive").inc(len(priced))
            logger.error("version %s: %s", model.version, error)  # noqa: TRY400
            raise RouteError(500, [problem("model", str(error))]) from error
        except Exception as error:
            self._metrics.explanations.labels("failed").inc(len(priced))
            logger.exception("version %s cannot explain %d rows", model.version, len(priced))
            raise RouteError(500, [problem("model", f"version {model.version} cannot explain this: {error}"[:500])]) from error
        self._metrics.explanations.labels("ok").inc(len(priced))
        self._metrics.explanations.labels("unpriced").inc(len(rows) - len(priced))
        self._metrics.explain_seconds.observe(time.perf_counter() - started)
        nothing: dict[str, Any] = {"base": None, "contributions": []}
        return [next(parts) if isinstance(row, Property) and price is not None else nothing for row, price in rows]


def _instances(body: bytes) -> list[Any] | None:
    """The properties of a body with ``instances``, None for a single one. Raises RouteError (422) beyond the cap.

    Whatever else is wrong, ``/predict`` says, and keeps it on record.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not (isinstance(content, dict) and "instances" in content):
        return None
    instances = content["instances"]
    if not isinstance(instances, list):
        return []
    if len(instances) > MAX_EXPLAINED:
        allowed = f"a list of 1 to {MAX_EXPLAINED} properties"
        message = f"instances must be {allowed}: an explanation takes as long as dozens of prices"
        raise RouteError(422, [problem("instances", message, f"{len(instances)} properties", allowed, [EXAMPLE])])
    return instances


def explain(model: LoadedModel, rows: Sequence[Property], prices: Sequence[float]) -> list[dict[str, Any]]:
    """``base`` and ``contributions`` of each row, whose ``prices`` in dollars the model has given.

    Raises NotExplainableError, NotAdditiveError, and whatever the model raises.
    """
    if not rows:
        return []
    found = _contributions(model, rows)
    base = [float(value) for value in found.pop("base")]
    return [
        money({name: float(values[number]) for name, values in found.items()}, base[number], prices[number])
        for number in range(len(rows))
    ]


def _contributions(model: LoadedModel, rows: Sequence[Property]) -> dict[str, Any]:
    """The model's own contributions by column, each of shape (rows,), in log units."""
    unwrap = getattr(model.predictor, "unwrap_python_model", None)
    contributions = getattr(model.predictor if unwrap is None else unwrap(), "contributions", None)
    if contributions is None:
        raise NotExplainableError(f"version {model.version} does not say what its prices are made of")
    try:
        table = contributions(frame(rows))
    except RuntimeError as error:
        raise NotExplainableError(f"version {model.version}: {error}") from error
    return {name: table[name].to_numpy(dtype=float) for name in table.columns}


def money(parts: Mapping[str, float], base: float, price: float) -> dict[str, Any]:
    """``base`` and ``contributions`` of one row: ``parts`` and ``base`` in log units, ``price`` in dollars.

    The dollars of the contributions add up to price - exp(base) (to a millionth of the price where all parts together are
    nothing); see the module for the formula. Raises NotAdditiveError if base and parts differ from ln(price) by more than
    TOLERANCE.
    """
    total = math.fsum(parts.values())
    gap = abs(base + total - math.log(price))
    if not gap <= TOLERANCE:
        raise NotAdditiveError(f"the contributions miss the logarithm of the price by {gap:.3g}, more than {TOLERANCE:g}")
    base_price = math.exp(base)
    # The mean's limit where both are the same.
    mean = (price - base_price) / total if abs(total) > TOLERANCE else math.sqrt(price * base_price)
    contributions: list[dict[str, Any]] = [
        {"field": name, "log": part, "factor": math.exp(part), "usd": part * mean} for name, part in parts.items()
    ]
    contributions.sort(key=lambda one: -abs(one["log"]))
    return {"base": {"log": base, "price": base_price}, "contributions": contributions}
