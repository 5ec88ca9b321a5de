"""Score and explain versions on the fixed set, and keep both for the dashboard. The decision rests on none of it.

All is keyed by the set and the version: what an earlier try or another run has written for the same homes is kept, and what
is missing is added. A version that cannot be scored or explained leaves a code in place of numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ct_contract import BadDataError, TryLaterError
from ct_decisions.registry import Registry, Version
from ct_store.connection import Connection
from house_prices.scoring import Scored, model_input, score
from psycopg.types.json import Jsonb

from ct_evaluate.estimates import estimates
from ct_evaluate.fixed_set import FixedSet, read_fixed_set, slices

log = logging.getLogger(__name__)

MOST_VERSIONS = 20
"""Scored on one set: challenger, champion, and the newest before them. Each costs a third of a second of CPU and the time to
fetch its files; what an older version was worth on the homes of its time stays on record."""

NOISE_FILE = "reliance_noise.json"
"""What the train step logs to the run: how far shares of reliance differ by chance."""

ADDITIVE = 1e-6
"""How far base and contributions may be from the log of the price."""

RAISES = "VERSION_RAISES"
UNEXPLAINED = "NO_EXPLANATION"


def record_insights(
    connection: Connection,
    registry: Registry,
    *,
    batch_id: int,
    batch_ids: Sequence[int],
    challenger: Version,
    champion: Version | None,
    confidence: float,
) -> None:
    """Write what is not there yet for the hold-out homes of ``batch_ids``; commits after each version.

    ``batch_id`` is the newest of them, ``confidence`` that of the intervals. Raises TryLaterError if MLflow or PostgreSQL is
    away.
    """
    fixed = read_fixed_set(connection, batch_ids)
    if fixed.frame.empty:
        return
    connection.execute(
        "INSERT INTO audit.fixed_sets (set_digest, batch_id, row_count, area_count, background) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING",
        (fixed.digest, batch_id, len(fixed.frame), fixed.areas, Jsonb(fixed.background_homes())),
    )
    connection.commit()
    keeper = _Keeper(connection, registry, fixed, confidence)
    explained = explained_versions(registry, challenger, champion)
    compared = {found.number for found in (challenger, champion) if found is not None}
    for version in scored_versions(registry, challenger, champion):
        keeper.keep(version, explain=version.number in explained, needed=version.number in compared)
        connection.commit()


def scored_versions(registry: Registry, challenger: Version, champion: Version | None) -> list[Version]:
    """Challenger, champion, and the newest versions before the challenger: at most MOST_VERSIONS, newest first."""
    chosen = {found.number: found for found in (challenger, champion) if found is not None}
    for found in _before(registry, challenger):
        if len(chosen) >= MOST_VERSIONS:
            break
        chosen.setdefault(found.number, found)
    return sorted(chosen.values(), key=lambda version: -int(version.number))


def explained_versions(registry: Registry, challenger: Version, champion: Version | None) -> set[str]:
    """Challenger, champion, and the version before the challenger."""
    found = (challenger, champion, next(_before(registry, challenger), None))
    return {version.number for version in found if version is not None}


def _before(registry: Registry, challenger: Version) -> Iterator[Version]:
    """The versions that were registered before it and are still there, newest first."""
    for number in range(int(challenger.number) - 1, 0, -1):
        found = registry.by_number(str(number))
        if found is not None:
            yield found


class _Keeper:
    """Writes scores and explanations of one set."""

    def __init__(self, connection: Connection, registry: Registry, fixed: FixedSet, confidence: float) -> None:
        self.connection, self.registry, self.fixed, self.confidence = connection, registry, fixed, confidence
        self.areas = pd.factorize(fixed.frame["zip_code"])[0].astype(np.intp)

    def keep(self, version: Version, *, explain: bool, needed: bool) -> None:
        """Score and, if wanted, explain a version, unless that was done. ``needed``: its files must be there."""
        if self._is_there(version, "version_scores") and (not explain or self._is_there(version, "explanations")):
            return
        try:
            model = self.registry.load(version)
            scored = score(model, self.fixed.frame)
        except BadDataError as error:
            self._note(version, error.code, explain=explain)
        except TryLaterError as error:
            # The files of an old version may be gone for good, as in a scratch copy. Those that were just compared are not.
            if needed or not self._mlflow_answers():
                raise
            log.warning("version %s is not scored on the fixed set: %s", version.number, error)
        except Exception:
            log.exception("version %s raised on the fixed set", version.number)
            self._note(version, RAISES, explain=explain)
        else:
            self._write_scores(version, scored)
            if explain:
                self._write_explanation(version, self._contributions(model, scored, version))
            log.info("version %s was scored on %d homes of the hold-out", version.number, len(self.fixed.frame))
            # Twenty models are more than the disk of a small pod is meant for.
            del model
            self.registry.forget(version)

    def _is_there(self, version: Version, table: str) -> bool:
        query = f"SELECT FROM audit.{table} WHERE (set_digest, model_name, model_version) = (%s, %s, %s) LIMIT 1"
        return self.connection.execute(query.encode(), self._key(version)).fetchone() is not None

    def _key(self, version: Version) -> tuple[str, str, str]:
        return self.fixed.digest, self.registry.name, version.number

    def _mlflow_answers(self) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self.registry.client.get_registered_model(self.registry.name)
        except MlflowException:
            return False
        return True

    def _note(self, version: Version, problem: str, *, explain: bool) -> None:
        self._score(version, ("all", ""), {"unsound": len(self.fixed.frame), "problem": problem})
        if explain:
            self._write_explanation(version, None, problem)

    def _write_scores(self, version: Version, scored: Scored) -> None:
        for dimension, value, rows in slices(self.fixed.frame):
            sound = rows & scored.sound
            areas = self.areas[sound]
            line = {
                "row_count": int(sound.sum()),
                "area_count": len(np.unique(areas)),
                "unsound": int((rows & ~scored.sound).sum()),
                "metrics": estimates(scored.take(sound), areas, self.confidence),
            }
            self._score(version, (dimension, value), line)

    def _score(self, version: Version, part: tuple[str, str], line: dict[str, Any]) -> None:
        self.connection.execute(
            "INSERT INTO audit.version_scores (set_digest, model_name, model_version, dimension, slice, row_count, area_count, "
            "unsound, metrics, problem) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (
                *self._key(version),
                *part,
                line.get("row_count", 0),
                line.get("area_count", 0),
                line["unsound"],
                Jsonb(line.get("metrics", {})),
                line.get("problem"),
            ),
        )

    def _contributions(self, model: Any, scored: Scored, version: Version) -> pd.DataFrame | None:
        """SHAP values by column and ``base``, shape (background homes, columns + 1); None if there are none that add up."""
        background = self.fixed.background
        try:
            found: pd.DataFrame = model.unwrap_python_model().contributions(model_input(background))
        except Exception as error:
            log.warning("version %s does not explain its prices: %s: %s", version.number, type(error).__name__, error)
            return None
        prices = scored.answers["price"].to_numpy(dtype=np.float64)[: len(background)]
        gap = float(np.max(np.abs(found.to_numpy(dtype=np.float64).sum(axis=1) - np.log(prices))))
        if not gap <= ADDITIVE:
            log.warning(
                "version %s: its explanation misses its prices by %.3g in log units, it is not kept", version.number, gap
            )
            return None
        return found

    def _write_explanation(self, version: Version, found: pd.DataFrame | None, problem: str = UNEXPLAINED) -> None:
        if found is None:
            columns, base, values, noise = [], None, [], None
        else:
            columns = [str(name) for name in found.columns if name != "base"]
            base = float(found["base"].iloc[0])
            values = found[columns].to_numpy(dtype=np.float64).tolist()
            noise = self.registry.run_document(version, NOISE_FILE) if version.run_id else None
        self.connection.execute(
            "INSERT INTO audit.explanations (set_digest, model_name, model_version, columns, base, contributions, seed_noise, "
            "problem) VALUES (%s, %s, %s, %s, %s, %s::double precision[], %s, %s) ON CONFLICT DO NOTHING",
            (
                *self._key(version),
                columns,
                base,
                values,
                None if noise is None else Jsonb(noise),
                problem if found is None else None,
            ),
        )
