"""The challenger as an artefact: its lineage, its signature, and a trial in the serving environment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from ct_contract import BadDataError
from ct_decisions import technical
from ct_decisions.evidence import Gate
from ct_decisions.policy import PromotionPolicy
from ct_decisions.registry import Registry, Version
from house_prices.requests import golden_requests

from ct_evaluate.inferences import Request
from ct_evaluate.provenance import identifying_inputs, signature_of, signature_problems, unknown_lineage
from ct_evaluate.trial import megabytes, other_versions, try_serving

log = logging.getLogger(__name__)

GOLDEN_FILE = "golden.json"
"""What the train step logs to the run: requests with the answers in training."""


@dataclass(frozen=True)
class Artefact:
    """The gates about it, and the loaded model; None if it does not load."""

    gates: list[Gate]
    model: Any


def examine(
    registry: Registry,
    challenger: Version,
    policy: PromotionPolicy,
    *,
    holdout: pd.DataFrame,
    shared_homes: int,
    replayed: Sequence[Request],
) -> Artefact:
    """Judge all that needs no champion and no prices.

    ``shared_homes`` counts homes of the hold-out that the challenger was trained on, ``replayed`` are recent requests to the
    API. Raises TryLaterError if MLflow or the files are away.
    """
    files = registry.files(challenger)
    kept = registry.run_document(challenger, GOLDEN_FILE)
    signature = signature_of(files)
    golden = kept["requests"] if kept else golden_requests(holdout, policy.golden_rows)
    trial = try_serving(
        files, policy, golden=golden, answers=kept["answers"] if kept else None, replayed=replayed[: policy.replayed_rows]
    )
    gates = [
        technical.lineage(policy, unknown_lineage(challenger.tags, golden=kept is not None)),
        technical.leakage(shared_homes),
        technical.identifiers(identifying_inputs(signature)),
        technical.signature(signature_problems(signature)),
        *technical.infrastructure(policy, trial, other_versions(files), megabytes(files)),
    ]
    return Artefact(gates, None if trial.load_error else _loaded(registry, challenger))


def _loaded(registry: Registry, challenger: Version) -> Any:
    """The model in this process too. It has loaded in one that is alike; if it does not here, none of its answers counts."""
    try:
        return registry.load(challenger)
    except BadDataError as error:
        log.warning("%s", error)
        return None
