"""What the champion relies on: the share of its mean absolute SHAP value by column, as its training has logged it."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct_decisions.registry import Registry, Version, unavailable

log = logging.getLogger(__name__)

ARTIFACT = "reliance.json"


@dataclass(frozen=True)
class Reliance:
    """Shares by column of the model's explanation; empty where the champion does not say."""

    shares: Mapping[str, float]

    def order(self, column: str | None) -> tuple[bool, float]:
        """A key that sorts columns by importance, those that are no input last."""
        return column is None, -self.shares.get(column or "", 0.0)

    def note(self, column: str | None) -> dict[str, Any]:
        """What a signal of the column notes: whether it is an input, its rank from 1, its share and that of all before it."""
        if column is None or not self.shares:
            return {"input": column is not None}
        share = self.shares.get(column, 0.0)
        before = [other for name, other in self.shares.items() if (-other, name) < (-share, column)]
        return {"input": True, "rank": len(before) + 1, "reliance": share, "reliance_before": sum(before)}


def read_reliance(registry: Registry, champion: Version) -> Reliance:
    """The shares that the champion's MLflow run keeps.

    Raises TryLaterError if MLflow is away. A version from outside, whose run says nothing, is taken to rely on
    everything that it is given.
    """
    from mlflow.exceptions import MlflowException

    if not champion.run_id:
        return Reliance({})
    try:
        names = [file.path for file in registry.client.list_artifacts(champion.run_id)]
        if ARTIFACT not in names:
            log.warning("version %s does not say what it relies on: every column counts the same", champion.number)
            return Reliance({})
        with tempfile.TemporaryDirectory(prefix="ct-reliance-") as directory:
            path = registry.client.download_artifacts(champion.run_id, ARTIFACT, directory)
            shares = json.loads(Path(path).read_text(encoding="utf-8"))
    except (MlflowException, OSError) as error:
        raise unavailable(error) from error
    return Reliance({str(name): float(share) for name, share in shares.items()})
