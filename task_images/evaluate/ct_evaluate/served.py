"""What serving wrote down about one version: requests, errors, times, and prices that turned out to be real."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ct_decisions.rollback import Requests
from ct_store.connection import Connection
from house_prices.requests import as_request

MOST_PRICES = 20_000
"""Of the answers whose real price came back, how many of the last are looked at."""

_REQUESTS = """
WITH recent AS (
    SELECT request_id FROM raw.inferences
     WHERE row_number = 0 AND role = 'primary' AND http_status NOT BETWEEN 400 AND 499
       AND ((model_name, model_version) = (%(model)s, %(version)s) OR (%(unknown)s AND model_version IS NULL))
       AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
       AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
     ORDER BY received_at DESC, request_id LIMIT %(most)s
)
SELECT count(*) AS rows, bool_or(status IN ('error', 'unavailable')) AS failed,
       (extract(epoch FROM max(answered_at) - min(received_at)) * 1000)::float8 AS milliseconds
  FROM recent JOIN raw.inferences USING (request_id)
 WHERE role = 'primary'
 GROUP BY request_id
"""

# A price may be corrected: the last one counts. Where kinds of prices are told apart, only sales are real.
_PRICES = """
SELECT input, actual_price FROM (
    SELECT DISTINCT ON (f.request_id, f.row_number) i.input, f.actual_price, f.received_at
      FROM raw.feedback AS f JOIN raw.inferences AS i USING (request_id, row_number)
     WHERE i.role = 'primary' AND i.status = 'ok' AND jsonb_typeof(i.input) = 'object' AND f.received_at >= %s
       AND coalesce(to_jsonb(f)->>'kind', 'sale') = 'sale'
     ORDER BY f.request_id, f.row_number, f.feedback_id DESC
) AS last ORDER BY received_at DESC, input LIMIT %s
"""


def requests_since(connection: Connection, model: str, version: str, since: datetime, most: int) -> Requests:
    """The last ``most`` requests from ``since`` on that the version answered, or that no version did."""
    return _requests(
        connection, {"model": model, "version": version, "unknown": True, "since": since, "until": None, "most": most}
    )


def requests_before(connection: Connection, model: str, version: str, until: datetime, most: int) -> Requests:
    """The last ``most`` requests before ``until`` that the version answered."""
    found = {"model": model, "version": version, "unknown": False, "since": None, "until": until, "most": most}
    return _requests(connection, found)


def _requests(connection: Connection, values: dict[str, Any]) -> Requests:
    rows = connection.execute(_REQUESTS, values).fetchall()
    return Requests(
        count=len(rows),
        failed=sum(row["failed"] for row in rows),
        milliseconds=[row["milliseconds"] for row in rows if row["rows"] == 1 and not row["failed"]],
    )


@dataclass(frozen=True)
class RealPrices:
    """(n,) requests as the API reads them, and what the homes were really sold for, in dollars."""

    requests: list[dict[str, Any]]
    prices: list[float]


def real_prices(connection: Connection, since: datetime) -> RealPrices:
    """Answers whose real price came back from ``since`` on, the last ones first."""
    rows = connection.execute(_PRICES, (since, MOST_PRICES)).fetchall()
    return RealPrices([as_request(row["input"]) for row in rows], [float(row["actual_price"]) for row in rows])
