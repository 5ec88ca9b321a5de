"""What a scratch copy is called in PostgreSQL and MLflow."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ct_contract import ContractError
from ct_decisions.registry import model_name

EXPERIMENT_VARIABLE = "CT_EXPERIMENT"
DEFAULT_EXPERIMENT = "house-prices"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")


@dataclass(frozen=True)
class Names:
    """The database, the registered model and the experiment of one copy, beside the model and experiment it is made from."""

    name: str
    database: str
    model: str
    experiment: str
    real_model: str


def names_of(name: str) -> Names:
    """The names that belong to ``name``, from CT_MODEL_NAME and CT_EXPERIMENT. Raises ContractError for one that cannot be."""
    if not _NAME.fullmatch(name):
        raise ContractError(
            f"{name!r} is no name for a scratch copy: 1 to 48 small letters, digits, _ and -, a letter or a digit first"
        )
    experiment = os.environ.get(EXPERIMENT_VARIABLE) or DEFAULT_EXPERIMENT
    return Names(
        name=name,
        database=f"scratch_{name}",
        model=f"{model_name()}-scratch-{name}",
        experiment=f"{experiment}-scratch-{name}",
        real_model=model_name(),
    )
