"""Homes with a known price structure, and models of both learners trained on them once."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from priced_homes import listings


@pytest.fixture(scope="session")
def homes() -> pd.DataFrame:
    return listings(3000)


@pytest.fixture(scope="session")
def outcome(homes, tmp_path_factory):
    from ct_train.fitting import fit

    return fit(homes, tmp_path_factory.mktemp("chosen"), 0)


@pytest.fixture(scope="session")
def models(homes, outcome, tmp_path_factory):
    """A model of each learner, by name."""
    import shutil

    from house_prices.model import load

    found = {}
    for candidate in outcome.candidates:
        directory: Path = tmp_path_factory.mktemp(candidate.name)
        candidate.save(directory)
        shutil.copy(outcome.directory / "encodings.npz", directory)
        text = (outcome.directory / "model.json").read_text()
        (directory / "model.json").write_text(
            text.replace(f'"learner": "{outcome.chosen.name}"', f'"learner": "{candidate.name}"')
        )
        found[candidate.name] = load(directory)
    assert set(found) == {"catboost", "hist_gradient_boosting"}
    return found
