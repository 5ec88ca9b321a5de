"""The noise of the shares of reliance: measured by refits, repeatable, and wide enough for another seed."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ct_train import reliance_noise as noise
from ct_train.fitting import fit
from ct_train.learners import fit_catboost, fit_hist_gradient_boosting
from house_prices.model import EXPLAINED

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))

from priced_homes import listings

pytestmark = pytest.mark.unit


def reliance(outcome, rows):
    size = outcome.model.contributions(rows)[list(EXPLAINED)].abs().mean()
    return size / size.sum()


@pytest.mark.parametrize("learner", [fit_catboost, fit_hist_gradient_boosting])
def test_the_noise_is_repeatable_and_that_of_another_seed(tmp_path, monkeypatch, learner):
    monkeypatch.setattr("ct_train.fitting.LEARNERS", (learner,))
    monkeypatch.setattr("ct_train.learners.MOST_ITERATIONS", 150)
    homes = listings(2500)
    rows = homes[homes["split"] == "test"]
    outcomes = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        outcomes.append(fit(homes, tmp_path / str(seed), seed))
    learnt = homes[homes["split"].isin(outcomes[0].learnt_from)]
    found = noise.reliance_noise(outcomes[0], learnt, rows)
    assert set(found) == set(EXPLAINED)
    assert found == noise.reliance_noise(outcomes[0], learnt, rows)
    assert 0 < max(found.values()) < 0.05
    # The prices of these homes follow from place and size; what is left to chance is shared between them.
    difference = (reliance(outcomes[1], rows) - reliance(outcomes[0], rows)).abs()
    band = 2.776 * np.sqrt(2) * np.array([found[name] for name in EXPLAINED])
    assert (difference.to_numpy() <= band + 1e-12).all()


def test_without_homes_to_ask_there_is_none():
    assert noise.reliance_noise(None, None, pd.DataFrame()) == {}
