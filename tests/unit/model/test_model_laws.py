"""Whatever comes in, a price comes out; explanations add up; nothing of the answer leaks into the features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from house_prices.encoding import FOLDS, Homes, adjusted, fit_encoder, fold_of, out_of_fold_features
from house_prices.intervals import fit_intervals
from house_prices.model import EXPLAINED, FEATURES, LOCATION_FEATURES, RAW_COLUMNS, SOURCES, load, location_keys
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

LEARNERS = ("catboost", "hist_gradient_boosting")
TEXTS = ("status", "city", "state", "zip_code", "prev_sold_date")

number = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-10, 10**9).map(float))
text = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["00600", "0613", "99999", "Ohio", "sold", "2021-02-30"]))
home = st.fixed_dictionaries({name: text if name in TEXTS else number for name in RAW_COLUMNS})


def frame_of(rows: list[dict[str, object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(RAW_COLUMNS))
    return frame.astype({name: object if name in TEXTS else "float64" for name in RAW_COLUMNS})


def assert_sound(prices: pd.DataFrame) -> None:
    assert list(prices.columns) == ["price", "price_low", "price_high"]
    assert np.isfinite(prices.to_numpy()).all()
    assert (prices["price_low"] > 0).all()
    assert (prices["price_low"] <= prices["price"]).all()
    assert (prices["price"] <= prices["price_high"]).all()


@pytest.mark.parametrize("learner", LEARNERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(home, min_size=1, max_size=5))
def test_any_home_has_a_sound_price_and_an_additive_explanation(models, learner, rows):
    model, frame = models[learner], frame_of(rows)
    prices = model.predict(frame)
    assert_sound(prices)
    explained = model.contributions(frame)
    assert list(explained.columns) == [*EXPLAINED, "base"]
    np.testing.assert_allclose(explained.sum(axis=1), np.log(prices["price"]), atol=1e-6)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_row_is_priced_alone_as_among_others(models, homes, learner):
    rows = homes.sample(50, random_state=1)
    together = models[learner].predict(rows)
    alone = pd.concat([models[learner].predict(rows.iloc[[i]]) for i in range(len(rows))])
    pd.testing.assert_frame_equal(together, alone, check_exact=True)


@pytest.mark.parametrize("learner", LEARNERS)
def test_columns_that_are_absent_count_as_not_known(models, homes, learner):
    model = models[learner]
    nothing = model.predict(frame_of([dict.fromkeys(RAW_COLUMNS)]))
    assert_sound(nothing)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(index=[0])), nothing)
    assert len(model.predict(homes.head(0))) == 0
    assert len(model.contributions(homes.head(0))) == 0


def test_zip_codes_are_read_however_they_are_written(models):
    codes = ["00613", "613", "613.0", 613, 613.0, " 00613 "]
    keys = location_keys(pd.DataFrame({"zip_code": pd.Series(codes, dtype=object)}))
    assert set(keys["zip5"]) == {"00613"}
    unread = location_keys(pd.DataFrame({"zip_code": ["613000", "-1", "٠٠٦١٣", "", "abc"]}))
    assert set(unread["zip5"]) == {""}


def test_the_street_and_the_price_do_not_reach_the_features(models, homes):
    changed = homes.assign(price=1.0, street=5, property_key="x", split="test")
    pd.testing.assert_frame_equal(models["catboost"].features(homes), models["catboost"].features(changed))


def test_location_is_learnt(models, homes):
    rows = homes.head(1).drop(columns=["state", "city"])
    cheap, dear = (models["catboost"].predict(rows.assign(zip_code=code))["price"].iloc[0] for code in ("00600", "01107"))
    assert dear > 2 * cheap


def test_every_feature_has_a_source_that_people_know():
    assert set(SOURCES) == set(FEATURES)
    assert {source for sources in SOURCES.values() for source in sources} == set(EXPLAINED)


def test_encodings_for_training_never_see_their_own_fold(homes):
    features = out_of_fold_features(homes)
    folds = fold_of(homes["property_key"])
    for fold in range(FOLDS):
        inside = folds == fold
        other = homes.assign(price=homes["price"].where(~inside, homes["price"] * 7))
        changed = out_of_fold_features(other)
        pd.testing.assert_frame_equal(features[inside], changed[inside])
        learnt = [name for name in LOCATION_FEATURES if name not in {"broker_count"} and not name.endswith("_count")]
        assert (features.loc[~inside, learnt] != changed.loc[~inside, learnt]).any().all()


def test_listings_of_one_home_share_a_fold_and_folds_share_the_homes():
    keys = pd.Series([f"{number}|00601" for number in range(5000)] * 2)
    folds = fold_of(keys)
    np.testing.assert_array_equal(folds[:5000], folds[5000:])
    counts = np.bincount(folds, minlength=FOLDS)
    assert counts.min() > 0.9 * len(keys) / FOLDS
    shuffled = keys.sample(frac=1, random_state=0)
    np.testing.assert_array_equal(fold_of(shuffled), folds[shuffled.index])


def test_one_level_is_the_smoothed_mean_of_what_the_levels_above_leave():
    frame = pd.DataFrame({"price": [100.0, 100.0, 400.0], "house_size": [1.0, 1.0, 2.0], "state": ["A", "A", "B"]})
    encoder = fit_encoder(frame)
    start = np.log([100, 100, 400]).mean()
    assert encoder.start[0] == pytest.approx(start)
    index, values = encoder.tables["state"]
    assert list(index) == ["A", "B"]
    assert values[0, 0] == pytest.approx(2 * (np.log(100) - start) / (2 + 20))
    assert values[1, 0] == pytest.approx((np.log(400) - start) / (1 + 20))
    np.testing.assert_allclose(values[:, 2], np.log1p([2, 1]))


def priced(rows: int, seed: int = 0) -> pd.DataFrame:
    """Dear zip codes have large homes; log price = level of the zip code + 0.6 log size + 0.3 log bath + 0.1 sold."""
    random = np.random.default_rng(seed)
    area = random.integers(0, 20, rows)
    size, bath = np.exp(random.normal(7 + area / 20, 0.4)), random.integers(1, 6, rows)
    sold = random.random(rows) < 0.4
    level = area / 10 + random.normal(0, 0.01, rows)
    return pd.DataFrame(
        {
            "price": np.exp(9 + level + 0.6 * np.log(size) + 0.3 * np.log(bath) + 0.1 * sold),
            "house_size": size,
            "bath": bath,
            "status": np.where(sold, "sold", "for_sale"),
            "zip_code": [f"{600 + a:05d}" for a in area],
            "area": area,
        }
    )


def test_adjusted_prices_are_those_of_the_same_home_in_each_place():
    frame = priced(4000)
    found = adjusted(Homes.of(frame, location_keys(frame)))
    by_area = pd.Series(found).groupby(frame["area"]).mean()
    np.testing.assert_allclose(np.diff(by_area), 0.1, atol=0.01)
    raw = np.log(frame["price"]).groupby(frame["area"]).mean()
    assert np.diff(raw).mean() > 0.12


def test_few_homes_are_adjusted_by_their_size_alone():
    frame = pd.DataFrame({"price": [1e5, 2e5, 3e5], "house_size": [1000.0, 2000.0, 1500.0], "zip_code": ["1", "2", "3"]})
    found = adjusted(Homes.of(frame, location_keys(frame)))
    np.testing.assert_allclose(np.diff(found), np.diff(np.log(frame["price"] / frame["house_size"])))


def test_what_is_not_known_of_a_home_counts_as_average():
    frame = priced(500).assign(bed=np.nan, acre_lot=np.nan)
    frame.loc[0, ["house_size", "bath", "status"]] = [np.nan, np.nan, None]
    found = adjusted(Homes.of(frame, location_keys(frame)))
    assert np.isfinite(found).all()
    assert found[0] == np.log(frame["price"])[0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 400))
def test_the_intervals_hold_on_the_rows_that_set_them(seed, rows):
    random = np.random.default_rng(seed)
    predicted = random.normal(12, 1, rows)
    actual = predicted + random.normal(0, 0.1, rows) * predicted
    table = fit_intervals(predicted, actual)
    assert len(table.half_widths) == len(table.edges) + 1 == len(table.rows)
    assert table.edges == sorted(set(table.edges))
    assert sum(table.rows) == rows
    width = np.asarray(table.half_widths)[np.searchsorted(table.edges, predicted, side="right")]
    for position in range(len(table.half_widths)):
        inside = np.searchsorted(table.edges, predicted, side="right") == position
        assert np.mean(np.abs(actual - predicted)[inside] <= width[inside]) >= 0.9


def test_the_intervals_hold_in_each_range_of_new_rows():
    random = np.random.default_rng(3)
    predicted = random.normal(12, 1, 20_000)
    actual = predicted + random.standard_t(3, 20_000) * np.exp((predicted - 12) / 2) * 0.2
    table = fit_intervals(predicted[:5000], actual[:5000])
    width = np.asarray(table.half_widths)[np.searchsorted(table.edges, predicted, side="right")]
    inside = pd.Series((np.abs(actual - predicted) <= width)[5000:])
    fifths = inside.groupby(pd.qcut(predicted[5000:], 5, labels=False)).mean()
    assert fifths.between(0.86, 0.94).all()
    with pytest.raises(ValueError, match="at least one"):
        fit_intervals(np.empty(0), np.empty(0))


def test_a_file_of_another_class_is_not_loaded(models, outcome, tmp_path):
    import shutil

    import skops.io
    from sklearn.linear_model import LinearRegression
    from skops.io.exceptions import UntrustedTypesFoundException

    shutil.copytree(outcome.directory, tmp_path / "m")
    text = (tmp_path / "m" / "model.json").read_text().replace('"learner": "catboost"', '"learner": "hist_gradient_boosting"')
    (tmp_path / "m" / "model.json").write_text(text)

    class Stranger(LinearRegression):
        pass

    Stranger.__module__ = "somewhere"
    Stranger.__qualname__ = "Stranger"
    import sys
    import types

    module = types.ModuleType("somewhere")
    module.Stranger = Stranger
    sys.modules["somewhere"] = module
    try:
        skops.io.dump(Stranger().fit([[0.0], [1.0]], [0, 1]), tmp_path / "m" / "trees.skops")
        with pytest.raises(UntrustedTypesFoundException):
            load(tmp_path / "m")
    finally:
        del sys.modules["somewhere"]


def test_trees_of_scikit_learn_are_explained_as_the_package_shap_does(models, homes):
    import shap
    from house_prices.model import sklearn_shap

    model = models["hist_gradient_boosting"]
    rows = homes.head(120).copy()
    rows.loc[rows.index[:20], ["house_size", "bed", "zip_code"]] = None
    features = model.features(rows).to_numpy()
    values, base = sklearn_shap(model._trees, features)
    explainer = shap.TreeExplainer(model._trees)
    assert base == pytest.approx(float(np.ravel(explainer.expected_value)[0]), abs=1e-9)
    np.testing.assert_allclose(values, explainer.shap_values(features, check_additivity=False), atol=1e-9)
    np.testing.assert_allclose(base + values.sum(axis=1), model.predict_log(model.features(rows)), atol=1e-9)
