"""Random splits of one population: areas share their errors, so only a bootstrap of areas leaves the null alone."""

import numpy as np
import pytest
from ct_assess import errors
from ct_assess.errors import Answers, error_signals
from ct_decisions.bootstrap import Clusters
from ct_decisions.policy import load_policy
from ct_decisions.retrain import decide

pytestmark = pytest.mark.unit

POLICY = load_policy("strict")
SPLITS = 100
AREAS, HOMES = 30, 40


def answers(random, areas=AREAS):
    """Homes of areas whose price level the champion does not know: what it errs is mostly what it errs of the area."""
    area = np.repeat(np.arange(areas), AREAS * HOMES // areas)
    log_error = random.normal(0, 0.15, areas)[area] + random.normal(0, 0.10, len(area))
    return Answers(
        price=np.full(len(area), 3e5), log_error=log_error, inside=(np.abs(log_error) < 1.645 * 0.18).astype(float),
        sound=np.ones(len(area), dtype=bool), area=np.array([f"{code:05d}" for code in area], dtype=object),
        status=np.full(len(area), "sold", dtype=object), state=np.full(len(area), "Ohio", dtype=object),
    )  # fmt: skip


def trainings(areas=AREAS):
    trained = 0
    for split in range(SPLITS):
        random = np.random.default_rng(split)
        signals = error_signals(POLICY, answers(random, areas), answers(random))
        rows = AREAS * HOMES
        found = decide(POLICY.retrain, signals, champion_version="1", new_rows=rows, champion_rows=10 * rows)
        trained += found.outcome == "train"
    return trained


def test_random_splits_of_one_population_hardly_ever_train():
    assert trainings() <= 0.05 * SPLITS


def test_a_bootstrap_of_rows_would_train_on_noise(monkeypatch):
    monkeypatch.setattr(errors, "Clusters", lambda labels: Clusters(np.arange(len(labels))))
    assert trainings() > 0.05 * SPLITS


@pytest.mark.parametrize("areas", [1, 2, 5])
def test_homes_of_a_few_areas_prove_nothing_of_the_champion(areas):
    """Of one area every resample is the same: without a least number of areas, half of such batches trained."""
    assert trainings(areas) == 0
    signals = error_signals(POLICY, answers(np.random.default_rng(0), areas), answers(np.random.default_rng(1)))
    judged = {signal.name: signal for signal in signals if signal.name in ("error_ratio", "log_bias", "interval_coverage")}
    assert {signal.verdict for signal in judged.values()} == {"n/a"}
    for signal in judged.values():
        assert (signal.note["areas"], signal.note["required_areas"]) == (areas, 10)
        assert signal.value is not None, "it is measured and kept all the same"
