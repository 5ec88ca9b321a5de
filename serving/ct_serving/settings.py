"""Settings of the API, all from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What one API process is told. Row counts are rows of RAW, times are seconds."""

    database_url: str = ""
    """libpq URL of a member of ct_serving; empty: inferences wait in the spool."""
    tracking_uri: str = ""
    """Where MLflow is; empty: no model is ever loaded."""
    model_name: str = "house-prices"
    alias: str = "production"
    reload_seconds: float = 5.0
    """How often the alias is read; each wait is up to a fifth shorter or longer, so that replicas do not ask together."""
    admin_token: str = ""
    """Bearer token of ``/admin``; empty: those routes do not exist."""
    spool_directory: Path = Path("spool")
    """Where inferences wait on disk while PostgreSQL is away."""
    spool_max_rows: int = 2_000_000
    """The cap of the spool; rows beyond it are dropped and counted."""
    queue_max_rows: int = 100_000
    """The cap of the queue in memory; rows beyond it are dropped and counted."""
    durable: bool = True
    """Whether an answer waits until its row is safe: committed in PostgreSQL, or on the spool's disk."""
    durable_seconds: float = 10.0
    """How long it waits; a price whose row is not safe by then is not given (503)."""
    flush_seconds: float = 0.2
    """How long a row waits for company before it is written where no answer waits for it."""
    shadow_alias: str = "challenger"
    """The alias whose model also prices a copy of the requests; empty: none does."""
    shutdown_seconds: float = 10.0
    """How long a stop waits for requests in flight, and then for the inference log."""
    api_keys: str = ""
    """Lines of ``name:hash[:rate]`` (keys.py); with none here and none in the file, everybody may ask."""
    api_keys_file: Path | None = None
    """A file of such lines, as a mounted secret; read again when it changes."""
    rate_per_second: float = 100.0
    """Requests a second that a client with a key may send on average; 0: as many as it likes."""
    rate_burst: float = 200.0
    """Requests that it may send at once."""
    request_seconds: float = 30.0
    """A request without an answer by then gets a 504."""
    explain_threads: int = 1
    """Explanations that are computed at a time."""
    explain_waiting: int = 8
    """Explanations that may wait for them; beyond that the answer is 503."""
    access_log: bool = False
    """A log line for every request."""
    log_format: str = "json"
    """``json`` or ``text``."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the CT_* variables and MLFLOW_TRACKING_URI. Raises ValueError naming a variable that is no number."""
        values = os.environ if environ is None else environ
        default = cls()

        def number(name: str, standard: float, smallest: float) -> float:
            text = values.get(name, "")
            try:
                value = float(text) if text else standard
            except ValueError:
                raise ValueError(f"{name} must be a number, not {text!r}") from None
            if not smallest <= value < float("inf"):
                raise ValueError(f"{name} must be at least {smallest:g}, not {text}")
            return value

        def choice(name: str, *choices: str) -> str:
            value = values.get(name) or choices[0]
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
            return value

        keys_file = values.get("CT_API_KEYS_FILE", "")

        durable = values.get("CT_DURABLE", "") or "true"
        if durable not in {"true", "false"}:
            raise ValueError(f"CT_DURABLE must be true or false, not {durable!r}")
        return cls(
            database_url=values.get("CT_DATABASE_URL", ""),
            tracking_uri=values.get("MLFLOW_TRACKING_URI", ""),
            model_name=values.get("CT_MODEL_NAME") or default.model_name,
            alias=values.get("CT_MODEL_ALIAS") or default.alias,
            reload_seconds=number("CT_RELOAD_SECONDS", default.reload_seconds, 0.1),
            admin_token=values.get("CT_ADMIN_TOKEN", ""),
            spool_directory=Path(values.get("CT_SPOOL_DIR") or default.spool_directory),
            spool_max_rows=int(number("CT_SPOOL_MAX_ROWS", default.spool_max_rows, 0)),
            queue_max_rows=int(number("CT_LOG_QUEUE_ROWS", default.queue_max_rows, 1)),
            durable=durable == "true",
            durable_seconds=number("CT_DURABLE_SECONDS", default.durable_seconds, 0.1),
            shadow_alias=values.get("CT_SHADOW_ALIAS", default.shadow_alias),
            flush_seconds=number("CT_LOG_FLUSH_SECONDS", default.flush_seconds, 0.0),
            shutdown_seconds=number("CT_SHUTDOWN_SECONDS", default.shutdown_seconds, 1.0),
            api_keys=values.get("CT_API_KEYS", ""),
            api_keys_file=Path(keys_file) if keys_file else None,
            rate_per_second=number("CT_RATE_PER_SECOND", default.rate_per_second, 0.0),
            rate_burst=number("CT_RATE_BURST", default.rate_burst, 1.0),
            request_seconds=number("CT_REQUEST_SECONDS", default.request_seconds, 0.1),
            explain_threads=int(number("CT_EXPLAIN_THREADS", default.explain_threads, 1)),
            explain_waiting=int(number("CT_EXPLAIN_WAITING", default.explain_waiting, 0)),
            access_log=choice("CT_ACCESS_LOG", "0", "1") == "1",
            log_format=choice("CT_LOG_FORMAT", "json", "text"),
        )
