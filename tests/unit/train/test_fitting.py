"""The same rows and seed give the same model; small and one-sided data give a model too; the better learner is chosen."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostRegressor
from ct_train.fitting import FEWEST_HOMES, TooFewRowsError, fit
from ct_train.learners import CATBOOST, CATBOOST_LOSSES, TrainingData, fit_catboost
from ct_train.profile import domain, holdout_errors, profile
from house_prices.encoding import fit_encoder, out_of_fold_features
from house_prices.metrics import metrics
from house_prices.model import FEATURES, build_features

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))

from priced_homes import listings

pytestmark = pytest.mark.unit


def test_same_rows_and_seed_give_identical_predictions(tmp_path):
    frame = listings(800)
    predictions, files = [], []
    for attempt in ("a", "b"):
        directory = tmp_path / attempt
        directory.mkdir()
        outcome = fit(frame.copy(), directory, 5)
        predictions.append(outcome.model.predict(frame))
        files.append({path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in (".npz", ".json")})
        assert [candidate.name for candidate in outcome.candidates] == ["catboost", "hist_gradient_boosting"]
        best = min(outcome.candidates, key=lambda candidate: candidate.validation_error)
        assert outcome.chosen.name == best.name
        assert json.loads((directory / "model.json").read_text())["learner"] == best.name
    pd.testing.assert_frame_equal(*predictions, check_exact=True)
    assert files[0] == files[1]


def test_a_seed_makes_a_difference(tmp_path):
    frame = listings(400)
    outcomes = []
    for seed in (0, 1):
        directory = tmp_path / str(seed)
        directory.mkdir()
        outcomes.append(
            {c.name: c.trees.predict(np.zeros((1, len(FEATURES))))[0] for c in fit(frame, directory, seed).candidates}
        )
    assert outcomes[0]["catboost"] != outcomes[1]["catboost"]


def test_categories_and_texts_are_the_same_data(tmp_path):
    frame = listings(400)
    texts = ["split", "status", "city", "state", "zip_code", "prev_sold_date"]
    predictions = []
    for name, rows in (("texts", frame), ("categories", frame.astype(dict.fromkeys(texts, "category")))):
        (tmp_path / name).mkdir()
        predictions.append(fit(rows, tmp_path / name, 0).model.predict(rows))
    pd.testing.assert_frame_equal(*predictions, check_exact=True)


@pytest.mark.parametrize("absent", [(), ("validation",), ("calibration",), ("validation", "calibration")])
def test_a_split_without_rows_is_done_without(tmp_path, absent):
    frame = listings(200)
    frame = frame[~frame["split"].isin(absent)].reset_index(drop=True)
    prices = fit(frame, tmp_path, 0).model.predict(frame)
    assert np.isfinite(prices.to_numpy()).all()
    assert (prices["price_low"] <= prices["price"]).all()


def test_one_place_with_nothing_known_of_the_homes_is_enough(tmp_path):
    frame = listings(300)
    blank = {"bed": np.nan, "bath": np.nan, "acre_lot": np.nan, "house_size": np.nan, "brokered_by": np.nan}
    frame = frame.assign(**blank, city=None, state="Ohio", zip_code="00601", prev_sold_date=None, status="for_sale")
    prices = fit(frame, tmp_path, 0).model.predict(frame)
    assert np.isfinite(prices.to_numpy()).all()


def test_too_few_rows_are_refused(tmp_path):
    frame = listings(FEWEST_HOMES - 1).assign(split="train")
    with pytest.raises(TooFewRowsError, match=f"holds {FEWEST_HOMES - 1} training rows"):
        fit(frame, tmp_path, 0)


def test_the_test_rows_change_nothing(tmp_path):
    frame = listings(400)
    other = frame.assign(price=frame["price"].where(frame["split"] != "test", 10_000.0))
    predictions = []
    for name, rows in (("a", frame), ("b", other)):
        (tmp_path / name).mkdir()
        predictions.append(fit(rows, tmp_path / name, 0).model.predict(frame))
    pd.testing.assert_frame_equal(*predictions, check_exact=True)


def test_the_model_learns_from_all_homes_but_the_test_homes_as_long_as_they_are_few(tmp_path, monkeypatch):
    frame = listings(600)
    others = frame["split"].isin(["validation", "calibration"])
    dear = frame.assign(price=frame["price"].where(~others, frame["price"] * 3))
    outcomes = {}
    for name, rows, most in (("all", dear, 10**6), ("few", dear, 10)):
        monkeypatch.setattr("ct_train.fitting.MOST_HOMES_TO_REFIT", most)
        (tmp_path / name).mkdir()
        outcomes[name] = fit(rows, tmp_path / name, 0)
    assert outcomes["all"].learnt_from == ("train", "validation", "calibration")
    assert outcomes["few"].learnt_from == ("train",)
    # What is said of them before they were learnt from is the same, and so are the intervals that rest on it.
    pd.testing.assert_frame_equal(outcomes["all"].unseen, outcomes["few"].unseen, check_exact=True)
    assert list(outcomes["all"].unseen.index) == list(frame.index[others])
    assert outcomes["all"].intervals == outcomes["few"].intervals
    error = {name: np.log(outcome.model.predict(dear)["price"] / dear["price"])[others] for name, outcome in outcomes.items()}
    assert error["all"].mean() > error["few"].mean() + 0.1
    pd.testing.assert_frame_equal(outcomes["few"].model.predict(dear)[others], outcomes["few"].unseen, check_exact=True)


def test_the_blend_is_the_mean_of_a_model_for_each_loss(tmp_path):
    frame = listings(500)
    training = frame[frame["split"] == "train"]
    held = frame[frame["split"] == "validation"]
    encoder = fit_encoder(training)
    data = TrainingData(
        features=out_of_fold_features(training), target=np.log(training["price"].to_numpy()),
        validation_features=build_features(held, encoder), validation_target=np.log(held["price"].to_numpy()),
    )  # fmt: skip
    fitted = fit_catboost(data, 4)
    rows = data.validation_features.to_numpy()
    single = []
    for loss in CATBOOST_LOSSES:
        model = CatBoostRegressor(
            **{**CATBOOST, "iterations": fitted.parameters[f"iterations_{loss}"]}, loss_function=loss, random_seed=4,
            logging_level="Silent", allow_writing_files=False,
        )  # fmt: skip
        single.append(model.fit(data.features.to_numpy(), data.target).predict(rows))
    assert not np.allclose(*single)
    np.testing.assert_allclose(fitted.trees.predict(rows), np.mean(single, axis=0), atol=1e-12)
    np.testing.assert_allclose(fitted.again(data.features, data.target).predict(rows), np.mean(single, axis=0), atol=1e-12)
    assert fitted.iterations == fitted.trees.tree_count_


def test_trees_of_many_homes_are_grown_on_a_part_of_them_and_are_still_repeatable(monkeypatch):
    frame = listings(600)
    features, target = out_of_fold_features(frame), np.log(frame["price"].to_numpy())
    data = TrainingData(
        features=features, target=target, validation_features=features.head(100), validation_target=target[:100]
    )
    whole = fit_catboost(data, 0)
    assert "subsample" not in whole.parameters
    monkeypatch.setattr("ct_train.learners.MOST_HOMES_A_TREE", 200)
    parts = [fit_catboost(data, 0) for _ in range(2)]
    assert parts[0].parameters["subsample"] == pytest.approx(1 / 3)
    answers = [fitted.trees.predict(features.to_numpy()) for fitted in (whole, *parts)]
    np.testing.assert_array_equal(answers[1], answers[2])
    assert not np.allclose(answers[0], answers[1])
    assert np.abs(answers[1] - target).mean() < 0.2


def test_metrics_are_what_their_names_say():
    price = np.array([100.0, 200.0, 400.0])
    answers = pd.DataFrame({"price": [110.0, 200.0, 300.0], "price_low": [105.0, 150, 250], "price_high": [120.0, 250, 350]})
    found = metrics(price, answers)
    assert found["mae"] == pytest.approx(110 / 3)
    assert found["mdae"] == 10
    assert found["rmse"] == pytest.approx(np.sqrt((100 + 10_000) / 3))
    assert found["mdape"] == pytest.approx(0.1)
    assert found["coverage"] == pytest.approx(1 / 3)
    assert found["log_bias"] == pytest.approx((np.log(1.1) + np.log(0.75)) / 3)
    assert found["r2"] == pytest.approx(1 - 10_100 / np.sum((price - price.mean()) ** 2))
    assert metrics(np.empty(0), answers.head(0)) == {}


def test_the_profile_describes_the_rows():
    frame = listings(500)
    found = profile(frame)
    assert found["rows"] == 500
    assert found["numbers"]["price"]["0.5"] == frame["price"].median()
    assert found["categories"]["state"] == pytest.approx(frame["state"].value_counts(normalize=True).to_dict())
    assert sum(found["categories"]["zip3"].values()) == pytest.approx(1)
    assert found["absent"]["bed"] == frame["bed"].isna().mean()
    seen = domain(frame)
    assert set(seen["known"]["zip_code"]) == set(frame["zip_code"])
    assert seen["ranges"]["house_size"] == [frame["house_size"].min(), frame["house_size"].max()]
    assert "house_size" not in domain(frame.assign(house_size=np.nan))["ranges"]
    answers = pd.DataFrame({"price": frame["price"] * np.e})
    errors = holdout_errors(frame, answers)
    assert errors["mean_abs_log_error"] == pytest.approx(1)
    assert sum(count for _, count in errors["by_zip3"].values()) == 500
    assert holdout_errors(frame.head(0), answers.head(0))["mean_abs_log_error"] is None
    json.dumps([found, seen, errors], allow_nan=False)
