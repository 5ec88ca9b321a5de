"""What the pages about versions read: fixed sets, scores and explanations, as the evaluate step has stored them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from ct_store.connection import Connection, connect

Floats = npt.NDArray[np.float64]
Estimate = tuple[float, float | None, float | None]
"""A value with the ends of its interval, None where they are not known."""

MOST_SETS = 200
"""Sets that can be chosen: the newest."""

Home = Mapping[str, Any]
"""A home's columns by name, None where a value is not known; with its ``price`` in dollars."""


@dataclass(frozen=True)
class FixedSet:
    """Homes on which versions were measured at one moment, named by their digest; ``batch_number`` is their newest batch."""

    digest: str
    batch_number: int
    drawn_at: datetime
    rows: int
    areas: int


@dataclass(frozen=True)
class Score:
    """A version's metrics on one slice of a set: name to value, low and high end; ``problem`` where there are none."""

    version: str
    dimension: str
    slice: str
    rows: int
    unsound: int
    metrics: Mapping[str, Estimate]
    problem: str | None


@dataclass(frozen=True)
class Standing:
    """The version in production according to the ledger, and all that ever were."""

    champion: str | None
    promoted: frozenset[str]


@dataclass(frozen=True)
class Explained:
    """That a version was explained on a set, or why not."""

    digest: str
    version: str
    problem: str | None


@dataclass(frozen=True)
class Explanation:
    """SHAP values in log units: ``contributions`` of shape (homes, columns); log price = base + their sum.

    ``noise`` is the standard deviation of each column's share of reliance between trainings that differ by chance; None where
    the training did not measure it.
    """

    version: str
    columns: tuple[str, ...]
    base: float
    contributions: Floats
    noise: Mapping[str, float] | None

    @property
    def log_price(self) -> Floats:
        """Of each home, shape (homes,)."""
        total: Floats = self.base + self.contributions.sum(axis=1)
        return total


@dataclass(frozen=True)
class Measured:
    """Everything that says which sets and versions can be shown, newest set first."""

    sets: Sequence[FixedSet]
    explained: Sequence[Explained]
    standing: Standing

    def versions(self) -> list[str]:
        """All versions with an explanation, newest first."""
        found = {line.version for line in self.explained if line.problem is None}
        return sorted(found, key=version_number, reverse=True)

    def problem(self, version: str) -> str | None:
        """Why a version has no explanation; None if it has one or was never asked."""
        lines = [line for line in self.explained if line.version == version]
        return None if any(line.problem is None for line in lines) else next((line.problem for line in lines), None)

    def partners(self, version: str) -> list[str]:
        """Versions that were explained on the same homes as this one, itself included, newest first."""
        sets = {line.digest for line in self.explained if line.version == version and line.problem is None}
        found = {line.version for line in self.explained if line.digest in sets and line.problem is None}
        return sorted(found, key=version_number, reverse=True)

    def predecessor(self, version: str) -> str | None:
        """What a version is compared with: the champion where that is older, else the newest older one on the same homes."""
        older = [partner for partner in self.partners(version) if version_number(partner) < version_number(version)]
        return self.standing.champion if self.standing.champion in older else next(iter(older), None)

    def common_set(self, *versions: str) -> FixedSet | None:
        """The newest set on which all of them were explained."""
        known = {(line.digest, line.version) for line in self.explained if line.problem is None}
        return next((found for found in self.sets if all((found.digest, version) in known for version in versions)), None)


def version_number(version: str) -> int:
    """What versions are ordered by; one that is no number comes before all."""
    return int(version) if version.isdigit() else -1


def read_measured(url: str, model_name: str) -> Measured:
    """Sets, explained versions and the ledger's standing of a model. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        sets = connection.execute(
            "SELECT set_digest, batch_number, drawn_at, f.row_count, area_count "
            "FROM audit.fixed_sets AS f JOIN raw.batches USING (batch_id) "
            "WHERE EXISTS (SELECT FROM audit.version_scores AS s WHERE s.set_digest = f.set_digest AND s.model_name = %s) "
            "ORDER BY drawn_at DESC, set_digest LIMIT %s",
            (model_name, MOST_SETS),
        ).fetchall()
        explained = connection.execute(
            "SELECT set_digest, model_version, problem FROM audit.explanations WHERE model_name = %s AND set_digest = ANY(%s)",
            (model_name, [row["set_digest"] for row in sets]),
        ).fetchall()
        standing = _standing(connection, model_name)
    return Measured(
        [
            FixedSet(row["set_digest"], row["batch_number"], row["drawn_at"], row["row_count"], row["area_count"])
            for row in sets
        ],
        [Explained(row["set_digest"], row["model_version"], row["problem"]) for row in explained],
        standing,
    )


def _standing(connection: Connection, model_name: str) -> Standing:
    events = connection.execute(
        "SELECT model_version FROM audit.model_events WHERE model_name = %s "
        "AND event IN ('promoted', 'rolled_back', 'alias_moved_by_hand') ORDER BY event_id",
        (model_name,),
    ).fetchall()
    versions = [str(row["model_version"]) for row in events]
    return Standing(versions[-1] if versions else None, frozenset(versions))


def read_scores(url: str, model_name: str, digest: str) -> list[Score]:
    """All scores on one set, oldest version first. Raises TryLaterError if PostgreSQL is away."""
    with connect("ct_dashboard", url) as connection:
        rows = connection.execute(
            "SELECT model_version, dimension, slice, row_count, unsound, metrics, problem FROM audit.version_scores "
            "WHERE (model_name, set_digest) = (%s, %s)",
            (model_name, digest),
        ).fetchall()
    scores = [
        Score(
            row["model_version"],
            row["dimension"],
            row["slice"],
            row["row_count"],
            row["unsound"],
            {name: (value, low, high) for name, (value, low, high) in row["metrics"].items()},
            row["problem"],
        )
        for row in rows
    ]
    return sorted(scores, key=lambda score: (version_number(score.version), score.dimension, score.slice))


def read_explanations(
    url: str, model_name: str, digest: str, versions: Sequence[str]
) -> tuple[Sequence[Home], dict[str, Explanation]]:
    """The homes of a set's background, and the explanation of each of these versions on them. Raises TryLaterError."""
    with connect("ct_dashboard", url) as connection:
        homes = connection.execute("SELECT background FROM audit.fixed_sets WHERE set_digest = %s", (digest,)).fetchone()
        rows = connection.execute(
            "SELECT model_version, columns, base, contributions, seed_noise FROM audit.explanations "
            "WHERE (model_name, set_digest) = (%s, %s) AND model_version = ANY(%s) AND problem IS NULL",
            (model_name, digest, list(versions)),
        ).fetchall()
    found = {
        row["model_version"]: Explanation(
            row["model_version"],
            tuple(row["columns"]),
            row["base"],
            np.asarray(row["contributions"], dtype=np.float64).reshape(-1, len(row["columns"])),
            row["seed_noise"],
        )
        for row in rows
    }
    return (homes["background"] if homes else []), found
