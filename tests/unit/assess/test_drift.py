"""PSI and Wasserstein: against other ways to compute them, their laws, and what chance does to them."""

import numpy as np
import pandas as pd
import pytest
from ct_assess.drift import Counts, from_rows, judge_drift, psi, wasserstein
from ct_assess.reliance import Reliance
from ct_decisions.judging import relied
from ct_decisions.policy import load_policy
from house_prices.monitored import MONITORED
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

pytestmark = pytest.mark.unit

POLICY = load_policy("strict").retrain


def counts(reference, new, unknown=(0, 0)):
    values = np.unique(np.concatenate([reference, new]))
    sides = [np.array([np.count_nonzero(np.asarray(side) == value) for value in values], float) for side in (reference, new)]
    return Counts(values, *sides, *map(float, unknown))


numbers = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=80)


@given(numbers, numbers)
@settings(deadline=None)
def test_the_distance_is_that_of_scipy_over_the_references_deviation(reference, new):
    found = wasserstein(counts(reference, new))
    deviation = np.std(reference)
    distance = wasserstein_distance(reference, new)
    if deviation == 0 and distance > 0:
        assert found is None
    else:
        assert found == pytest.approx(distance / deviation if distance > 1e-12 else 0.0, abs=1e-9)


@given(numbers, st.floats(0.1, 10), st.floats(-5, 5))
@settings(deadline=None)
def test_units_change_neither(reference, scale, shift):
    new = [value + 1 for value in reference[: len(reference) // 2 + 1]]
    here, there = counts(reference, new), counts(np.round(reference, 1), new)
    there = Counts(here.values * scale + shift, here.reference, here.new)
    assert psi(here, 10) == psi(there, 10)
    if wasserstein(here) is not None:
        assert wasserstein(there) == pytest.approx(wasserstein(here))


def test_a_shift_by_one_deviation_is_one():
    generator = np.random.default_rng(1)
    sample = np.round(generator.normal(5, 2, 4000), 3)
    assert wasserstein(counts(sample, np.round(sample + np.std(sample), 3))) == pytest.approx(1, abs=0.01)


def test_the_psi_is_that_of_its_definition_on_deciles():
    generator = np.random.default_rng(2)
    reference, new = generator.normal(0, 1, 20_000), generator.normal(0.5, 1, 20_000)
    edges = np.quantile(reference, np.linspace(0, 1, 11)[1:-1])
    p, q = (np.bincount(np.searchsorted(edges, side), minlength=10) / len(side) for side in (reference, new))
    expected = np.sum((q - p) * np.log(q / p))
    ones = np.ones(len(reference))
    order = np.argsort(np.r_[reference, new], kind="stable")
    both = Counts(np.r_[reference, new][order], np.r_[ones, 0 * ones][order], np.r_[0 * ones, ones][order])
    value, chance = psi(both, 10)
    assert chance == pytest.approx(9 * 2 / 20_000)
    assert value + chance == pytest.approx(expected, abs=0.002)
    assert 0.2 < value < 0.3


@pytest.mark.parametrize("rows", [100, 400, 4000])
def test_what_chance_gives_is_taken_off(rows):
    """Without it, a hundred homes of the same population would be watched."""
    generator = np.random.default_rng(3)
    raw, corrected = [], []
    for _ in range(300):
        found = counts(generator.integers(0, 10, 10_000), generator.integers(0, 10, rows))
        value, chance = psi(found, 10)
        corrected.append(value)
        raw.append(value + chance)
    assert np.mean(raw) == pytest.approx(9 * (1 / rows + 1 / 10_000), rel=0.25)
    assert np.mean(corrected) < 0.5 * np.mean(raw)
    assert np.quantile(corrected, 0.95) < POLICY.psi_watch


def test_what_is_not_known_is_a_bin_of_its_own_and_counts_for_no_distance():
    same = np.arange(10).repeat(20)
    assert psi(counts(same, same, unknown=(0, 100)), 10)[0] > POLICY.psi
    assert wasserstein(counts(same, same, unknown=(0, 100))) == 0


def test_a_column_that_is_empty_or_constant_has_not_drifted():
    nothing = Counts(np.empty(0), np.empty(0), np.empty(0), 50, 40)
    assert psi(nothing, 10)[0] == 0
    assert wasserstein(nothing) is None
    constant = counts([2.0] * 5, [2.0] * 9)
    assert (psi(constant, 10)[0], wasserstein(constant)) == (0, 0)
    assert wasserstein(counts([2.0] * 5, [3.0] * 9)) is None
    assert psi(Counts(None, np.empty(0), np.empty(0), 0, 40), 10)[0] is None


def test_counts_come_from_lines_with_the_unknown_value_last():
    lines = [{"value": 1.0, "reference": 2.0, "new": 0.0}, {"value": None, "reference": 3.0, "new": 4.0}]
    found = from_rows(list(lines), is_number=True)
    assert (found.values.tolist(), found.reference_unknown, found.new_unknown, found.rows) == ([1.0], 3.0, 4.0, (5.0, 4.0))
    assert from_rows(lines[:1], is_number=False).values is None


SHARES = {"location": 0.5, "house_size": 0.25, "bath": 0.1, "brokered_by": 0.06, "bed": 0.04, "status": 0.05}


def drifted(shares):
    same = counts(np.arange(50.0), np.arange(50.0))
    category = Counts(None, np.array([30.0, 20.0]), np.array([20.0, 30.0]))
    found = {column.name: same if column.kind == "number" else category for column in MONITORED}
    return judge_drift(POLICY, found, Reliance(shares))


def test_what_the_champion_relies_on_stands_first_with_its_rank():
    signals = drifted(SHARES)
    psis = [signal for signal in signals if signal.name == "psi"]
    assert [signal.feature for signal in psis][:5] == ["state", "house_size", "bath", "status", "bed"]
    assert psis[-1].feature == "price"
    assert [signal.note.get("rank") for signal in psis][:5] == [1, 2, 3, 5, 6]
    assert [signal.feature for signal in psis if relied(POLICY, signal)] == ["state", "house_size", "bath"]
    assert {signal.feature for signal in signals if signal.name == "wasserstein"} == {
        "price", "house_size", "bed", "bath", "acre_lot", "prev_sold_date",
    }  # fmt: skip


def test_without_known_reliance_every_input_counts_and_the_price_does_not():
    assert {signal.feature for signal in drifted({}) if relied(POLICY, signal)} == {c.name for c in MONITORED} - {"price"}


def test_no_column_of_very_many_values_is_compared():
    assert not {column.name for column in MONITORED} & {"city", "street", "zip_code", "brokered_by", "property_key"}
    assert pd.Series([column.name for column in MONITORED]).is_unique


def test_reliance_is_known_by_the_names_of_the_models_explanation_and_the_file_of_its_training(tmp_path):
    from ct_assess.reliance import ARTIFACT
    from ct_train.report import write_report
    from house_prices.model import EXPLAINED

    assert {column.relied_by for column in MONITORED} - {None} <= set(EXPLAINED)
    write_report(None, pd.DataFrame(), pd.DataFrame(), tmp_path, 0)
    assert (tmp_path / ARTIFACT).read_text() == "{}"
