"""``python -m ct_data_source``: render the six batches, or find them rendered, and serve them."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import NoReturn

import pyarrow as pa
import uvicorn

from ct_data_source import bodies, listings
from ct_data_source.app import Source, create_app
from ct_data_source.cursors import CursorFileError, Cursors
from ct_data_source.settings import Settings, parse
from ct_data_source.synthetic import generate

log = logging.getLogger("ct_data_source")


def feed(settings: Settings) -> tuple[dict[str, object], Callable[[], Iterable[pa.Table]]]:
    """The identity of the feed, which names its rendered files, and the function that makes its batches."""
    common: dict[str, object] = {"seed": settings.seed, "scale": settings.scale}
    file = settings.listings
    if file is None:
        version = generate.GENERATOR_VERSION
        return {"kind": "synthetic", "version": version, **common}, lambda: generate.batches(settings.seed, settings.scale)
    digest = listings.file_digest(file)
    return {"kind": "listings", "sha256": digest, **common}, lambda: listings.batches(file, settings.scale, settings.seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 1 with the reason in the log if the feed or the cursor file cannot be used."""
    settings = parse(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s: %(message)s", force=True)
    started = time.monotonic()
    try:
        identity, make = feed(settings)
        stored = bodies.store(settings.cache, identity, settings.layout, make)
        cursors = Cursors(len(stored), settings.state)
    except (listings.ListingsFileError, CursorFileError, OSError) as error:
        log.error("the data source did not start: %s", error)  # noqa: TRY400 - the message says it all
        return 1
    pa.default_memory_pool().release_unused()
    rows = sum(batch.rows for batch in stored)
    size = sum(batch.size for batch in stored) / 1e6
    log.info("%d batches, %d rows, %.1f MB ready in %.1f s", len(stored), rows, size, time.monotonic() - started)
    application = create_app(Source(stored, cursors, settings.groups, settings.layout), settings.edition)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        log.error("cannot listen on %s port %d (%s); choose another --port", settings.host, settings.port, error)  # noqa: TRY400
        return 1
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    log.info("data source (%s edition) on http://%s:%d", settings.edition, host, port)
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    server.run(sockets=[listener])
    return 0


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds, so that half-written files go. uvicorn takes the signal first, shuts down and then calls this too.
    raise SystemExit(0)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: connections wait in it from now on, so the address in the log answers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)
    listener.set_inheritable(True)
    return listener


if __name__ == "__main__":
    raise SystemExit(main())
