"""Start the API: ``python -m ct_serving --host 127.0.0.1 --port 8000``."""

from __future__ import annotations

import argparse
import logging
import os


def main() -> None:
    """Serve until SIGTERM or SIGINT; then end what is in flight and flush the inference log."""
    parser = argparse.ArgumentParser(prog="python -m ct_serving", description="The prediction API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    # Its warnings repeat every few seconds what the poller says once.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # MLflow's own patience is minutes: the poller tries again anyway, and a stop must not wait for it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Files come through MLflow: the object store's address is MLflow's own, and need not be reachable from here.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")

    import uvicorn

    from ct_serving import logs
    from ct_serving.app import create_app
    from ct_serving.settings import Settings

    try:
        settings = Settings.from_environment()
        app = create_app(settings)
    except ValueError as error:
        parser.exit(2, f"ct_serving does not start: {error}\n")
    logs.configure(settings.log_format)
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
    )


if __name__ == "__main__":
    main()
