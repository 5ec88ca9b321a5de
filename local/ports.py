"""TCP ports on 127.0.0.1: the usual ones where they are free, others where not, the same ones at the next start."""

from __future__ import annotations

import socket
from collections.abc import Mapping

USUAL = {
    "airflow": 8080,
    "mlflow": 5000,
    "serving": 8000,
    "dashboard": 8501,
    "source": 8010,
    "postgres": 55432,
    "airflow_worker_logs": 8793,
    "airflow_trigger_logs": 8794,
    "supervisor": 9001,
}
"""Every port of the stack, with the number that people expect there."""


def is_free(port: int) -> bool:
    """Whether nobody listens on the port, on 127.0.0.1 or on all addresses, and this user may take it."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - a look whether it can be had, nothing is served
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def any_free(count: int) -> list[int]:
    """``count`` different ports that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def choose(kept: Mapping[str, int]) -> dict[str, int]:
    """A port for every name of `USUAL`: the kept one if it is still free, then the usual one, then any free one."""
    chosen: dict[str, int] = {}
    for name, usual in USUAL.items():
        for candidate in (kept.get(name, usual), usual):
            if candidate not in chosen.values() and is_free(candidate):
                chosen[name] = candidate
                break
    missing = [name for name in USUAL if name not in chosen]
    spare = (port for port in any_free(len(missing) + len(chosen)) if port not in chosen.values())
    return chosen | {name: next(spare) for name in missing}
