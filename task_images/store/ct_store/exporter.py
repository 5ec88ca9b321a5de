"""What the pipeline and the database do, for Prometheus: ``python -m ct_store.exporter --host 0.0.0.0 --port 9187``.

Every scrape reads the newest state from ``CT_DATABASE_URL``, a member of ``ct_dashboard`` and ``pg_monitor``. Labels are
bounded: streams, codes, signals, metrics; never a place, a run or a home.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ct_store.connection import URL_VARIABLE

log = logging.getLogger("ct_store.exporter")


@dataclass(frozen=True)
class Query:
    """One metric: ``sql`` gives the labels in their order, then the value; rows without a value are left out."""

    name: str
    text: str
    labels: tuple[str, ...]
    sql: str
    counter: bool = False


_NEWEST = "SELECT decision_id FROM audit.decisions WHERE kind = '{}' ORDER BY decided_at DESC LIMIT 1"

QUERIES = (
    Query("ct_batches", "Batches stored in RAW.", ("stream",), "SELECT stream, count(*) FROM raw.batches GROUP BY 1", True),
    Query(
        "ct_last_batch_timestamp_seconds",
        "When the newest batch was stored.",
        ("stream",),
        "SELECT stream, extract(epoch FROM max(stored_at)) FROM raw.batches GROUP BY 1",
    ),
    Query(
        "ct_rows",
        "Rows by what became of them: received, accepted, new, relisted, quarantined.",
        ("state",),
        "SELECT state, rows FROM (SELECT sum(rows_accepted) AS accepted, sum(rows_new) AS new, sum(rows_relisted) AS relisted,"
        " sum(rows_quarantined) AS quarantined, (SELECT sum(row_count) FROM raw.batches) AS received"
        " FROM clean.batches) AS sums,"
        " LATERAL (VALUES ('received', received), ('accepted', accepted), ('new', new), ('relisted', relisted),"
        " ('quarantined', quarantined)) AS line (state, rows)",
        True,
    ),
    Query(
        "ct_validations",
        "Batches by whether they passed the validation.",
        ("accepted",),
        # Nought before the first: a series that appears with its first count has not increased, and no alert would see it.
        "SELECT accepted::text, count(batch_id) FROM (VALUES (true), (false)) AS known (accepted)"
        " LEFT JOIN audit.validations USING (accepted) GROUP BY 1",
        True,
    ),
    Query(
        "ct_promotions",
        "Promotion decisions by outcome.",
        ("outcome",),
        "SELECT known.outcome, count(decision_id) FROM (VALUES ('promote'), ('reject'), ('hold')) AS known (outcome)"
        " LEFT JOIN audit.decisions ON decisions.outcome = known.outcome AND kind = 'promotion' GROUP BY 1",
        True,
    ),
    Query("ct_promotions_waiting", "Challengers of the last week that were held for a person and have no answer.", (), ""
        "SELECT count(*) FROM audit.decisions AS held WHERE kind = 'promotion' AND outcome = 'hold'"
        " AND decided_at > now() - interval '7 days' AND NOT EXISTS (SELECT FROM audit.decisions AS answer"
        " WHERE answer.kind = 'approval' AND answer.dag_id = held.dag_id AND answer.run_id = held.run_id)"),
    Query(
        "ct_decisions",
        "Decisions by kind, outcome and code.",
        ("kind", "outcome", "code"),
        "SELECT kind, outcome, code, count(*) FROM audit.decisions GROUP BY 1, 2, 3",
        True,
    ),
    Query(
        "ct_signal_value",
        "Signals of the newest retrain decision.",
        ("signal", "feature"),
        "SELECT name, coalesce(feature, ''), max(value) FROM audit.signals"
        f" WHERE decision_id = ({_NEWEST.format('retrain')}) GROUP BY 1, 2",
    ),
    Query(
        "ct_signal_threshold",
        "Where these signals fire.",
        ("signal", "feature"),
        "SELECT name, coalesce(feature, ''), max(threshold) FROM audit.signals"
        f" WHERE decision_id = ({_NEWEST.format('retrain')}) GROUP BY 1, 2",
    ),
    Query(
        "ct_signals",
        "How many signals of the newest retrain decision say what.",
        ("verdict",),
        f"SELECT verdict, count(*) FROM audit.signals WHERE decision_id = ({_NEWEST.format('retrain')}) GROUP BY 1",
    ),
    Query(
        "ct_gates",
        "How many gates of the newest promotion decision say what.",
        ("verdict",),
        f"SELECT verdict, count(*) FROM audit.gates WHERE decision_id = ({_NEWEST.format('promotion')}) GROUP BY 1",
    ),
    Query(
        "ct_evaluation_metric",
        "Metrics of the newest promotion decision, champion and challenger on the same rows.",
        ("role", "dataset", "metric"),
        "SELECT role, dataset, key, (value #>> '{}')::double precision"
        " FROM audit.evaluations, LATERAL jsonb_each(metrics) AS entry (key, value)"
        f" WHERE jsonb_typeof(value) = 'number' AND decision_id = ({_NEWEST.format('promotion')})",
    ),
    Query(
        "ct_model_events",
        "Lines of the ledger by event.",
        ("model", "event"),
        "SELECT model_name, event, count(*) FROM audit.model_events GROUP BY 1, 2",
        True,
    ),
    Query(
        "ct_promoted_timestamp_seconds",
        "When the ledger last gave the alias to a version.",
        ("model", "version"),
        "SELECT DISTINCT ON (model_name) model_name, model_version, extract(epoch FROM happened_at) FROM audit.model_events"
        " WHERE event IN ('promoted', 'rolled_back', 'alias_moved_by_hand') ORDER BY model_name, event_id DESC",
    ),
    Query("ct_requests_unanswered", "Requests to the source whose answer was never seen.", (), ""
        "SELECT count(*) FROM raw.requests WHERE outcome = 'sent' AND sent_at < now() - interval '10 minutes'"),
    Query(
        "pg_database_size_bytes",
        "Size of each database.",
        ("datname",),
        "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datallowconn AND NOT datistemplate",
    ),
    Query(
        "pg_stat_database_numbackends",
        "Connections to each database.",
        ("datname",),
        "SELECT datname, numbackends FROM pg_stat_database WHERE datname IS NOT NULL",
    ),
    Query(
        "pg_stat_database_xact_rollback",
        "Transactions that were rolled back.",
        ("datname",),
        "SELECT datname, xact_rollback FROM pg_stat_database WHERE datname IS NOT NULL",
        True,
    ),
    Query(
        "pg_stat_database_deadlocks",
        "Deadlocks.",
        ("datname",),
        "SELECT datname, deadlocks FROM pg_stat_database WHERE datname IS NOT NULL",
        True,
    ),
    Query("pg_settings_max_connections", "How many connections the server takes.", (), ""
        "SELECT setting::int FROM pg_settings WHERE name = 'max_connections'"),
)  # fmt: skip


class DatabaseCollector(Collector):
    """All queries in one read-only transaction, at every scrape; one scrape at a time."""

    def __init__(self, url: str, timeout_ms: int = 10_000) -> None:
        self._url = url
        self._timeout = timeout_ms
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """The metrics, and whether the database answered."""
        with self._lock:
            try:
                found = list(self._read())
            except psycopg.Error as error:
                log.warning("the database did not answer a scrape: %s", str(error).strip())
                found = []
        yield GaugeMetricFamily("ct_database_up", "1 if the database answered this scrape.", value=bool(found))
        yield from found

    def describe(self) -> list[Metric]:
        """Nothing: starting must not need the database."""
        return []

    def _read(self) -> Iterator[Metric]:
        options = f"-c statement_timeout={self._timeout} -c default_transaction_read_only=on"
        with psycopg.connect(self._url, application_name="ct_exporter", connect_timeout=5, options=options) as connection:
            for query in QUERIES:
                kind = CounterMetricFamily if query.counter else GaugeMetricFamily
                family = kind(query.name, query.text, labels=query.labels)
                for *labels, value in connection.execute(query.sql.encode()):
                    if value is not None:
                        family.add_metric([str(label) for label in labels], float(value))
                yield family


def handler(registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    """The two routes: ``/metrics``, and ``/health/live``, which asks nobody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path == "/health/live":
                self._answer(200, b'{"status": "live"}', "application/json")
            else:
                self._answer(404, b"there are /metrics and /health/live\n", "text/plain")

        def _answer(self, status: int, body: bytes, content: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are no news."""

    return Handler


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m ct_store.exporter", description="Metrics of the pipeline and database.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9187)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        print(f"no database: set {URL_VARIABLE}", file=sys.stderr)
        return 2
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(url))
    server = ThreadingHTTPServer((given.host, given.port), handler(registry))
    log.info("metrics at port %s", server.server_port)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
