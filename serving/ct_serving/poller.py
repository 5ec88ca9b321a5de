"""Follow the alias: look, load beside, swap. On any failure the model that answers stays."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from typing import Literal

from ct_serving.metrics import Metrics
from ct_serving.model_holder import LoadedModel, ModelHolder
from ct_serving.raw_table import Role
from ct_serving.registry import ModelVersion, Registry, RegistryError

logger = logging.getLogger(__name__)

Result = Literal["loaded", "unchanged", "failed", "no_model", "unavailable"]
_PLACE: dict[Role, str] = {"primary": "what answers", "shadow": "in the shadow"}
LONGEST_PAUSE = 60.0
"""The longest wait, in seconds, before a version that did not load is tried again; a new version is tried at once."""


@dataclass(frozen=True)
class Reload:
    """What one look at the alias led to."""

    result: Result
    detail: str


class Poller:
    """A thread that keeps the holder on the version that the alias names.

    Where the alias names none, the primary model stays, and one in the shadow is let go.
    """

    def __init__(
        self, registry: Registry, holder: ModelHolder, metrics: Metrics, interval: float, role: Role = "primary"
    ) -> None:
        """Poll every ``interval`` seconds, give or take a fifth."""
        self._role: Role = role
        self._registry = registry
        self._holder = holder
        self._metrics = metrics
        self._interval = interval
        self._one_at_a_time = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="model-poller", daemon=True)
        self._failed_version: str | None = None
        self._failures = 0
        self._try_again_at = 0.0
        self.last = Reload("unavailable", "the registry has not been asked yet")
        """The outcome of the last look; read by ``/health/ready``."""

    def start(self) -> None:
        """Begin to follow the alias."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a load in progress is left to end with the process."""
        self._stopping.set()

    def _run(self) -> None:
        if self._role == "shadow":
            # The model that answers comes first.
            self._stopping.wait(self._interval)
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("looking at the alias failed in an unforeseen way; the model that answers stays")
            # Jitter needs no secrecy.
            self._stopping.wait(self._interval * random.uniform(0.8, 1.2))  # noqa: S311

    def look(self, *, patient: bool = True) -> Reload:
        """Ask for the alias's version and load it if it is not the one that answers.

        ``patient``: a version that failed is not tried again before its pause is over.
        """
        with self._one_at_a_time:
            before = self.last
            self.last = self._look(patient)
            # "unchanged" is no try, and a failure that still waits was counted when it happened.
            if self.last is not before and self.last.result != "unchanged":
                self._metrics.reloads.labels(self.last.result, self._role).inc()
            return self.last

    def _look(self, patient: bool) -> Reload:
        current = self._holder.current
        try:
            version = self._registry.version()
        except RegistryError as error:
            return self._said("unavailable", str(error), logging.WARNING)
        if version is None:
            return self._no_model(current)
        if current is not None and (current.version, current.run_id) == (version.version, version.run_id):
            self._failed_version = None
            if (current.tags, current.description) != (version.tags, version.description):
                self._holder.replace(replace(current, tags=version.tags, description=version.description))
            return self._said("unchanged", f"version {current.version} carries the alias", logging.DEBUG)
        if patient and version.version == self._failed_version and time.monotonic() < self._try_again_at:
            return self.last
        return self._load(version, current)

    def _no_model(self, current: LoadedModel | None) -> Reload:
        if self._role == "primary":
            kept = "" if current is None else f"; version {current.version} stays"
            return self._said("no_model", f"no version carries the alias{kept}", logging.WARNING)
        if current is not None:
            self._holder.replace(None)
            self._metrics.answers_no_more(self._role)
            logger.info("no version is in the shadow any more; version %s was", current.version)
        return Reload("no_model", "no version is in the shadow")

    def _load(self, version: ModelVersion, current: LoadedModel | None) -> Reload:
        started = time.monotonic()
        try:
            model = self._registry.load(version)
        except Exception as error:
            same = version.version == self._failed_version
            self._failures = self._failures + 1 if same else 1
            self._failed_version = version.version
            self._try_again_at = time.monotonic() + min(LONGEST_PAUSE, self._interval * 2.0 ** min(self._failures, 10))
            kept = f"no model is {_PLACE[self._role]}" if current is None else f"version {current.version} stays"
            logger.exception("version %s of %s does not load; %s", version.version, version.name, kept)
            return Reload("failed", f"version {version.version} does not load; {kept}: {type(error).__name__}: {error}"[:1000])
        self._holder.replace(model)
        self._failed_version = None
        seconds = time.monotonic() - started
        self._metrics.reload_seconds.observe(seconds)
        self._metrics.answers_with(
            self._role,
            model=model.name,
            version=model.version,
            alias=model.alias,
            run_id=model.run_id or "",
            loaded_at=model.loaded_at.timestamp(),
        )
        before = "no model" if current is None else f"version {current.version}"
        place = _PLACE[self._role]
        news = f"version {model.version} is {place} now instead of {before}, loaded in {seconds:.2f} s"
        return self._said("loaded", news, logging.INFO)

    def _said(self, result: Result, detail: str, level: int) -> Reload:
        if result == self.last.result != "loaded":
            # The words of a network error differ each time; the news is told once.
            level = logging.DEBUG
        logger.log(level, "%s", detail)
        return Reload(result, detail)
