"""Whether the champion stays: each trigger of a rollback, judged on what was measured since its promotion. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from statistics import NormalDist
from typing import Any, Literal

from ct_decisions.bootstrap import Estimate
from ct_decisions.evidence import Gate, GateVerdict, Verdict
from ct_decisions.policy import RollbackPolicy

ERRORS = "serving_errors"
LATENCY = "serving_latency"
NEW_HOMES = "error_new_homes"
REAL_PRICES = "error_real_prices"

Refused = Literal["withdrawn", "broken"]
"""Why the previous version cannot be gone back to."""

QUANTILE = 0.95
"""Of the latencies of requests for one home."""


@dataclass(frozen=True)
class Requests:
    """Requests that one version was asked: how many, how many of them got no answer, and milliseconds of each for one home."""

    count: int = 0
    failed: int = 0
    milliseconds: Sequence[float] = ()


@dataclass(frozen=True)
class Errors:
    """How the champion's mean absolute log error differs from the previous version's on the same labelled homes.

    ``change`` is relative, with a bootstrap of whole zip codes, and None where it could not be measured; above zero the
    champion is worse. ``rows`` homes in ``areas`` zip codes; ``unsound`` more got no sound price from one of the two.
    """

    change: Estimate | None = None
    rows: int = 0
    areas: int = 0
    unsound: int = 0


def share_interval(failed: int, count: int, confidence: float) -> Estimate:
    """A share and its interval (Wilson, Probable inference, the law of succession, and statistical inference, 1927)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = failed / count, 1 + z * z / count
    middle = (share + z * z / (2 * count)) / scale
    half = z / scale * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))


def quantile_interval(values: Sequence[float], quantile: float, confidence: float) -> Estimate:
    """A quantile and its interval by order statistics (Conover, Practical Nonparametric Statistics, 1999, section 3.2).

    It asks nothing of the distribution. At least one value.
    """
    ordered, n = sorted(values), len(values)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(n * quantile * (1 - quantile))

    def at(rank: float) -> float:
        return float(ordered[min(max(int(rank), 1), n) - 1])

    return Estimate(at(ceil(n * quantile)), at(floor(n * quantile - reach)), at(ceil(n * quantile + reach) + 1))


def errors(policy: RollbackPolicy, now: Requests, before: Requests, confidence: float) -> Gate:
    """The share of requests without an answer; provably above the limit, and above that of the version before.

    Requests that the version before did not answer either are not the champion's fault.
    """
    found = share_interval(now.failed, now.count, confidence) if now.count >= max(policy.errors_requests, 1) else None
    then = before.failed / before.count if before.count >= max(policy.errors_requests, 1) else None
    limit = None if policy.errors is None else max(policy.errors, then or 0.0)
    note = {"requests": now.count, "required": policy.errors_requests, "before": then}
    return _gate(ERRORS, "ROLLBACK_ERRORS", found, limit, note)


def latency(policy: RollbackPolicy, now: Requests, before: Requests, confidence: float) -> Gate:
    """The 95th percentile of milliseconds; provably above the limit, and above a multiple of that of the version before."""
    required = max(policy.latency_requests, 1)

    def measured(requests: Requests) -> Estimate | None:
        enough = len(requests.milliseconds) >= required
        return quantile_interval(requests.milliseconds, QUANTILE, confidence) if enough else None

    then = measured(before)
    limit = policy.latency_ms
    if limit is not None and then is not None:
        limit = max(limit, policy.latency_ratio * then.value)
    note = {"requests": len(now.milliseconds), "required": policy.latency_requests, "before": then.value if then else None}
    return _gate(LATENCY, "ROLLBACK_LATENCY", measured(now), limit, note)


def quality(policy: RollbackPolicy, name: str, found: Errors) -> Gate:
    """The mean absolute log error on homes that are new to both versions, provably above the previous version's by the limit.

    ``name`` is NEW_HOMES or REAL_PRICES: where the prices come from.
    """
    enough = found.rows >= policy.quality_rows and found.areas >= policy.quality_areas
    note = {
        "rows": found.rows, "required": policy.quality_rows, "areas": found.areas, "required_areas": policy.quality_areas,
        "unsound": found.unsound,
    }  # fmt: skip
    return _gate(name, "ROLLBACK_QUALITY", found.change if enough else None, policy.quality, note)


def _gate(name: str, code: str, found: Estimate | None, limit: float | None, note: Mapping[str, Any]) -> Gate:
    """What fires only if the whole interval is above the limit; without evidence or limit nothing is judged."""
    if found is None:
        return Gate(name=name, code=code, value=None, threshold=limit, verdict="n/a", note=note)
    verdict: GateVerdict = "n/a" if limit is None else "fail" if found.low > limit else "pass"
    return Gate(
        name=name, code=code, value=found.value, ci_low=found.low, ci_high=found.high, threshold=limit, verdict=verdict,
        note=note,
    )  # fmt: skip


def decide(gates: Sequence[Gate], *, target: str | None, refused: Refused | None = None) -> Verdict:
    """Roll back to ``target``, or keep the champion; the first gate that fails is the headline.

    ``target`` is the previous version, None if there is none; ``refused`` says why it is no target: it was rolled back from
    itself, or does not load. Facts: ``failed`` and ``unjudged`` (names of gates), ``refused``.
    """
    failed = [gate for gate in gates if gate.verdict == "fail"]
    unjudged = [gate.name for gate in gates if gate.verdict == "n/a" and gate.threshold is not None]
    facts: dict[str, Any] = {"failed": [gate.name for gate in failed], "unjudged": unjudged}
    if failed and (target is None or refused is not None):
        return Verdict(outcome="keep", code="WATCH_NO_TARGET", facts=facts | {"refused": refused})
    if failed:
        return Verdict(outcome="rollback", code=failed[0].code, facts=facts)
    judged = any(gate.verdict == "pass" for gate in gates)
    return Verdict(outcome="keep", code="WATCH_SOUND" if judged else "WATCH_NO_EVIDENCE", facts=facts)
