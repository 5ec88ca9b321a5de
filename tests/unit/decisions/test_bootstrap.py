"""The clustered bootstrap: deterministic, right on average, and honest about clusters."""

import numpy as np
import pytest
from ct_decisions.bootstrap import Clusters, auc, mean, median, ratio_of_means, relative_change
from ct_decisions.policy import BootstrapPolicy
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

POLICY = BootstrapPolicy(resamples=400, confidence=0.95, seed=20)


def clustered(generator, clusters=80, rows=25, between=1.0):
    labels = np.repeat(np.arange(clusters), rows)
    return labels, generator.normal(0, between, clusters)[labels] + generator.normal(0, 0.3, clusters * rows)


def test_the_same_seed_gives_the_same_interval():
    labels, values = clustered(np.random.default_rng(1))
    first, second = (mean(values, Clusters(labels), POLICY) for _ in range(2))
    assert first == second


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 100)), min_size=2, max_size=60))
@settings(max_examples=40, deadline=None)
def test_values_do_not_depend_on_the_bootstrap(rows):
    labels = np.array([label for label, _ in rows])
    values = np.array([value for _, value in rows])
    clusters = Clusters(labels)
    assert mean(values, clusters, POLICY).value == pytest.approx(values.mean())
    assert median(values, clusters, POLICY).value == pytest.approx(np.median(values))
    assert relative_change(2 * values, values, clusters, POLICY).value == pytest.approx(1)
    assert relative_change(4 * values, values, clusters, POLICY, root=True).value == pytest.approx(1)
    assert ratio_of_means(values, clusters, values, clusters, POLICY).value == pytest.approx(1)


def test_a_pair_that_is_equal_row_by_row_has_no_width():
    labels, values = clustered(np.random.default_rng(2))
    errors = np.abs(values) + 0.1
    change = relative_change(errors, errors, Clusters(labels), POLICY)
    assert (change.value, change.low, change.high) == (0, 0, 0)


def test_the_interval_holds_the_truth_as_often_as_it_says_and_one_of_rows_does_not():
    """Zip codes share their errors: a bootstrap of rows would call noise significant."""
    generator = np.random.default_rng(3)
    quick = BootstrapPolicy(resamples=200, confidence=0.95, seed=4)
    by_cluster = by_row = 0
    for _ in range(120):
        labels, values = clustered(generator, clusters=60, rows=15)
        estimate = mean(values, Clusters(labels), quick)
        naive = mean(values, Clusters(np.arange(len(values))), quick)
        by_cluster += estimate.low <= 0 <= estimate.high
        by_row += naive.low <= 0 <= naive.high
    assert by_cluster / 120 >= 0.87
    assert by_row / 120 <= 0.70


def test_clusters_are_drawn_with_replacement_and_as_many_as_there_are():
    policy = BootstrapPolicy(resamples=3000, confidence=0.95, seed=5)
    clusters = Clusters(np.repeat(np.arange(12), 3))
    drawn = np.concatenate(list(clusters.weights(policy)))
    assert drawn.shape == (3000, 12)
    assert np.all(drawn.sum(axis=1) == 12)
    assert drawn.mean() == pytest.approx(1)
    assert drawn.var() == pytest.approx(11 / 12, abs=0.03)


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 1)), min_size=8, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_auc_is_that_of_all_pairs_within_folds(rows):
    scores, positive, folds = (np.array(values) for values in zip(*rows, strict=True))
    total = count = 0.0
    for ours in np.flatnonzero(positive):
        for theirs in np.flatnonzero(~positive & (folds == folds[ours])):
            count += 1
            total += 1.0 if scores[ours] > scores[theirs] else 0.5 if scores[ours] == scores[theirs] else 0.0
    if not count:
        return
    found = auc(scores.astype(float), positive, folds, Clusters(np.arange(len(scores))), POLICY)
    assert found.value == pytest.approx(total / count)
    assert found.low <= found.high


def test_the_interval_of_an_auc_is_that_of_areas():
    """Half of the areas are new, and what is measured of a home is mostly that of its area."""
    generator = np.random.default_rng(6)
    area = np.repeat(np.arange(60), 40)
    positive = area % 2 == 1
    scores = generator.normal(0, 1, 60)[area] + generator.normal(0, 0.2, len(area))
    folds = np.zeros(len(area), dtype=np.intp)
    by_area = auc(scores, positive, folds, Clusters(area), POLICY)
    by_row = auc(scores, positive, folds, Clusters(np.arange(len(area))), POLICY)
    assert by_area.value == by_row.value
    assert by_area.high - by_area.low > 3 * (by_row.high - by_row.low)


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_a_champion_without_any_error_is_matched_or_not_and_never_beaten(error):
    labels, champion = np.repeat(np.arange(20), 5), np.zeros(100)
    challenger = np.full(100, error)
    for found in (
        relative_change(challenger, champion, Clusters(labels), POLICY),
        relative_change(challenger, champion, Clusters(labels), POLICY, root=True),
    ):
        assert np.isfinite([found.value, found.low, found.high]).all()
        assert found.value >= 0
        assert (found.value > 1) is (error > 0)
    ratio = ratio_of_means(challenger, Clusters(labels), champion, Clusters(labels), POLICY)
    assert np.isfinite([ratio.value, ratio.low, ratio.high]).all()
    assert (ratio.value > 1.1) is (error > 0)


def test_resamples_in_which_the_champion_has_no_error_count_against_the_challenger():
    """Its only error is in one zip code of three: a third of the resamples do not draw it."""
    labels = np.array([0, 0, 1, 1, 2, 2])
    champion = np.array([0.4, 0.4, 0.0, 0.0, 0.0, 0.0])
    found = relative_change(np.full(6, 0.1), champion, Clusters(labels), POLICY)
    assert found.value == pytest.approx(-0.25)
    assert found.high > 1
