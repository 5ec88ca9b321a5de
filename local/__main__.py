"""Run the whole system on this machine: ``python -m local demo|up|stop|clean``. The Makefile is the front door."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local import report
from local.airflow_api import Airflow, AirflowError
from local.databases import DATABASE
from local.display import Display, make_display
from local.environments import ROOT
from local.jobs import StoppedError
from local.postgres import PostgresError
from local.processes import ProcessError
from local.runs import Pipeline, RunFailedError
from local.settings import FILE, Settings, SettingsError, Stream
from local.stack import Stack, stop_other

FAILURES = (
    SettingsError, PostgresError, ProcessError, AirflowError, RunFailedError, report.ReportError, RuntimeError, OSError,
)  # fmt: skip


class _Terminated(BaseException):
    """SIGTERM or SIGHUP arrived."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 when everything went as it should, 1 when something failed, 2 for options that do not fit, 130 when stopped."""
    arguments = _parse(argv)
    state = Path(arguments.state).expanduser().resolve()
    try:
        if arguments.command == "stop":
            print(f"{state}: " + ("stopped" if stop_other(state) else "nothing was running"))
            return 0
        if arguments.command == "clean":
            return _clean(state)
        stream = Stream(
            scale=arguments.scale or (100 if arguments.listings else 10),
            seed=arguments.seed,
            listings=str(Path(arguments.listings).expanduser().resolve()) if arguments.listings else None,
            source_url=arguments.source_url.rstrip("/") or None,
            group=arguments.group,
            day=arguments.day or None,
        )
        policy = Path(arguments.policy).expanduser()
        settings = Settings.open(state, stream, str(policy.resolve()) if policy.is_file() else arguments.policy)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    only = tuple(filter(None, arguments.only.split(","))) if arguments.command == "up" else ()
    return _run(settings, once=arguments.once, batches=arguments.command == "demo", only=only)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["demo", "up", "stop", "clean"])
    parser.add_argument("--state", default=str(ROOT / ".state"), help="where everything is kept; default: .state")
    parser.add_argument("--only", default="", help="up: a comma-separated part of it, e.g. schema,mlflow,serving")
    parser.add_argument("--once", action="store_true", help="leave when the source is exhausted")
    parser.add_argument("--scale", type=float, help="percent of the real sizes (default 10) or of the listings (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated data")
    parser.add_argument("--listings", default="", help="a csv or parquet file of listings in place of generated ones")
    parser.add_argument("--source-url", default="", help="a data source in place of the built-in one")
    parser.add_argument("--group", type=int, default=1, help="group number at the source")
    parser.add_argument("--day", default="Tuesday", help="day at the source; empty for a source without days")
    parser.add_argument("--policy", default="strict", help="name of a policy, or a YAML file")
    return parser.parse_args(argv)


def _run(settings: Settings, *, once: bool, batches: bool, only: tuple[str, ...]) -> int:
    begun = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    display = make_display()
    stack = Stack(settings, display)
    status = 0
    try:
        stack.start(only)
        _show(stack, display, begun, once=once, batches=batches)
    except (KeyboardInterrupt, _Terminated, StoppedError):
        status = 130 if once else 0
    except FAILURES as error:
        display.close()
        print(f"\n{error}", file=sys.stderr, flush=True)
        status = 1
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        display.close()
        print("stopping ...", flush=True)
        stack.stop()
        print(f"stopped; the state is kept in {settings.state}", flush=True)
    return status


def _show(stack: Stack, display: Display, begun: float, *, once: bool, batches: bool) -> None:
    stack.jobs.wait(stack.needed_for_runs if batches else ())
    settings = stack.settings
    pipeline = Pipeline(
        airflow=Airflow(settings.url("airflow"), settings.secrets["airflow_admin"]),
        database_url=settings.database_url(DATABASE, "dashboard", "dashboard"),
        display=display,
        check=stack.jobs.pump,
    )
    display.say(f"ready for batches after {time.monotonic() - begun:.0f} s")
    if batches:
        pipeline.exhaust()
    stack.jobs.wait()
    display.close()
    if batches:
        display.say(report.history(pipeline))
        display.say(report.price(settings, pipeline))
    display.say(report.addresses(settings, stack.jobs.names))
    display.say(f"{time.monotonic() - begun:.0f} s in all")
    if not once:
        display.say("Ctrl-C stops everything.")
        while True:
            time.sleep(3600)


def _clean(state: Path) -> int:
    if not state.exists():
        print(f"{state} does not exist")
        return 0
    if any(state.iterdir()) and not (state / FILE).exists() and not (state / "lock").exists():
        raise SettingsError(f"{state} is not the state of a stack: nothing was removed")
    stop_other(state)
    try:
        kept = Settings.load(state)
    except SettingsError:
        kept = None
    if kept and kept.postgres_directory and not kept.postgres_directory.is_relative_to(state):
        shutil.rmtree(kept.postgres_directory, ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)
    print(f"{state} is removed")
    return 0


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


if __name__ == "__main__":
    raise SystemExit(main())
