"""Intervals without resampling: they agree with the bootstrap of whole zip codes and hold what they promise."""

import numpy as np
import pandas as pd
import pytest
from ct_decisions import bootstrap
from ct_decisions.policy import BootstrapPolicy
from ct_evaluate.estimates import estimates
from ct_evaluate.fixed_set import slices
from house_prices.metrics import metrics
from house_prices.scoring import Scored

pytestmark = pytest.mark.unit


def market(rows, areas, seed, *, shared=0.25):
    """Prices and answers whose errors have a part that a zip code shares."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, areas, rows)
    log_price = random.normal(12.5, 0.6, rows)
    error = random.normal(0, shared, areas)[codes] + random.normal(0, 0.2, rows)
    answer = np.exp(log_price + error)
    width = np.exp(0.5)
    answers = pd.DataFrame({"price": answer, "price_low": answer / width, "price_high": answer * width})
    return Scored(np.exp(log_price), answers), codes


def test_values_are_the_metrics_and_intervals_those_of_the_bootstrap():
    scored, codes = market(4000, 150, 1)
    found = estimates(scored, codes, 0.95)
    known = metrics(scored.price, scored.answers)
    for name, (value, low, high) in found.items():
        assert value == pytest.approx(known[name]), name
        assert low < value < high, name
    clusters = bootstrap.Clusters(codes)
    policy = BootstrapPolicy(resamples=2000, confidence=0.95, seed=3)
    absolute, relative = np.abs(scored.error), np.abs(scored.error) / scored.price
    resampled = {
        "mae": bootstrap.mean(absolute, clusters, policy),
        "coverage": bootstrap.mean(scored.inside, clusters, policy),
        "mdape": bootstrap.median(relative, clusters, policy),
    }
    for name, other in resampled.items():
        _, low, high = found[name]
        assert high - low == pytest.approx(other.high - other.low, rel=0.2), name
    # A bootstrap of R2 and of the root mean square that knows nothing of linearisation.
    random = np.random.default_rng(5)
    by_area = [np.flatnonzero(codes == area) for area in range(150)]
    drawn = []
    for _ in range(400):
        rows = np.concatenate([by_area[area] for area in random.integers(0, 150, 150)])
        some = metrics(scored.price[rows], scored.answers.iloc[rows])
        drawn.append((some["r2_log"], some["rmse"]))
    for name, values in zip(("r2_log", "rmse"), np.array(drawn).T, strict=True):
        _, low, high = found[name]
        assert high - low == pytest.approx(3.92 * np.std(values), rel=0.25), name


def test_the_interval_of_the_mean_error_holds_the_truth_as_often_as_it_says():
    truth = np.mean([estimates(*market(20_000, 4000, seed), 0.95)["mae"][0] for seed in range(5)])
    inside = 0
    for seed in range(200):
        _, low, high = estimates(*market(800, 160, 1000 + seed), 0.95)["mae"]
        inside += low <= truth <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_one_area_has_no_interval_and_no_rows_have_no_metrics():
    scored, codes = market(30, 1, 2)
    assert {(low, high) for _, low, high in estimates(scored, codes, 0.95).values()} == {(None, None)}
    nothing = np.zeros(30, dtype=bool)
    assert estimates(scored.take(nothing), codes[nothing], 0.95) == {}
    same = Scored(np.full(30, 2e5), scored.answers)
    assert estimates(same, np.arange(30), 0.95)["r2_log"] == (0.0, None, None)


def test_slices_are_by_inputs_and_name_their_limits():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "state": pd.Categorical(["Ohio"] * 300 + ["Iowa"] * 40 + ["Utah"] * 20),
            "status": "sold",
            "zip_code": [f"{n:05d}" for n in random.integers(0, 50, 360)],
            "house_size": [*random.integers(800, 3000, 350).astype(float), *[np.nan] * 10],
        }
    )
    found = {(dimension, name): int(rows.sum()) for dimension, name, rows in slices(frame)}
    assert found["all", ""] == 360
    assert {name for dimension, name in found if dimension == "state"} == {"Ohio", "Iowa"}
    sizes = {name: count for (dimension, name), count in found.items() if dimension == "house_size"}
    assert sum(sizes.values()) == 350
    low, middle, high = sizes
    assert low.startswith(":")
    assert high.endswith(":")
    assert middle == f"{low[1:]}:{high[:-1]}"
    frame["zip_code"] = "00601"
    assert {dimension for dimension, _, _ in slices(frame)} == {"all"}
