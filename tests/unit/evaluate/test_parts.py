"""The parts of the evaluation: slices, ratio study, suspicion, signature, recent requests."""

import math

import numpy as np
import pandas as pd
import pytest
from ct_decisions.policy import load_policy
from ct_decisions.policy_checks import LINEAGE
from ct_decisions.promotion import slices as judge_slices
from ct_evaluate.inferences import moved_share
from ct_evaluate.provenance import API_TYPES, identifying_inputs, signature_problems, unknown_lineage
from ct_evaluate.ratio_study import ratio_study
from ct_evaluate.slices import changes, dimensions
from ct_evaluate.suspicion import most_telling_column
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

pytestmark = pytest.mark.unit

POLICY = load_policy("strict")
OUTPUTS = Schema([ColSpec(DataType.double, name) for name in ("price", "price_low", "price_high")])


def homes(generator, rows, zips=60):
    """Homes whose price is size x rate of the zip code x luck."""
    zip_code = generator.integers(0, zips, rows)
    size = np.exp(generator.normal(7.4, 0.4, rows))
    return pd.DataFrame({
        "price": size * (100 + 3 * zip_code) * np.exp(generator.normal(0, 0.3, rows)), "house_size": size,
        "zip_code": [f"{90000 + 100 * z}" for z in zip_code], "state": np.where(zip_code % 2, "Ohio", "Utah"),
        "status": "for_sale", "bed": generator.integers(1, 6, rows).astype(float), "bath": 2.0, "acre_lot": 0.2, "city": "Town",
        "prev_sold_date": None, "brokered_by": generator.integers(0, 1500, rows).astype(float),
    })  # fmt: skip


def labels_of(frame):
    return np.unique(frame["zip_code"], return_inverse=True)[1]


def test_each_row_lies_in_one_slice_of_each_dimension_and_in_none_where_nothing_is_known():
    frame = homes(np.random.default_rng(1), 1000)
    frame.loc[:99, "house_size"] = np.nan
    frame.loc[100:149, "state"] = None
    is_new = np.arange(1000) >= 800
    frame.loc[is_new, "zip_code"] = np.where(np.arange(200) % 2, "97000", frame.loc[is_new, "zip_code"])
    found = {name: (codes, names) for name, (codes, names) in dimensions(frame, frame["price"].to_numpy(), is_new)}
    assert set(found) == {"state", "status", "size", "prediction", "area"}
    assert np.bincount(found["size"][0] + 1).tolist() == [100, 300, 300, 300]
    assert np.bincount(found["prediction"][0]).tolist() == [200] * 5
    assert np.count_nonzero(found["state"][0] == -1) == 50
    assert np.bincount(found["area"][0]).tolist() == [900, 100]
    thirds = found["size"][0]
    assert frame["house_size"][thirds == 0].max() <= frame["house_size"][thirds == 1].min()


def test_the_standard_error_of_a_slice_is_that_of_clusters():
    """Its size over many draws of whole zip codes is what the formula says; one of rows is half of it or less."""
    generator = np.random.default_rng(2)
    estimates, errors, by_row = [], [], []
    for _ in range(300):
        labels = np.repeat(np.arange(50), 20)
        shared = generator.normal(0, 0.2, 50)[labels]
        champion = generator.gamma(4, 0.25, 1000)
        challenger = champion * np.exp(shared)
        whole = (np.zeros(1000, dtype=np.intp), ["all"])
        (part,) = changes(challenger, champion, labels, "all", whole)
        (naive,) = changes(challenger, champion, np.arange(1000), "all", whole)
        estimates.append(part.change)
        errors.append(part.standard_error)
        by_row.append(naive.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.12)
    assert np.mean(by_row) < 0.5 * np.std(estimates)


def test_slices_that_differ_by_areas_alone_fail_no_gate_and_would_if_rows_were_taken_one_by_one():
    """Both models err alike but for luck that whole zip codes share."""
    by_cluster = by_row = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        frame = homes(generator, 4000)
        labels = labels_of(frame)
        champion = generator.gamma(4, 0.25, 4000)
        challenger = champion * np.exp(generator.normal(0, 0.3, 60)[labels])
        for rows, chosen in (("clusters", labels), ("rows", np.arange(4000))):
            found = []
            for name, parts in dimensions(frame, frame["price"].to_numpy(), np.zeros(4000, dtype=bool)):
                found += changes(challenger, champion, chosen, name, parts)
            failed = judge_slices(POLICY.promotion, found, 0.95).verdict == "fail"
            by_cluster += failed and rows == "clusters"
            by_row += failed and rows == "rows"
    assert by_cluster <= 4
    assert by_row >= 12


def test_slices_by_true_price_would_keep_a_champion_that_knows_nothing_but_cheap_homes():
    """decision-policy F3: it answers 200,000 for every dear home too; by inputs and by mean prediction that costs nothing."""
    generator = np.random.default_rng(3)
    frame = homes(generator, 6000)
    price = frame["price"].to_numpy()
    answers = {"champion": np.minimum(price * np.exp(generator.normal(0, 0.3, 6000)), 160_000)}
    answers["challenger"] = np.exp(np.log(price).mean() + 0.8 * (np.log(price) - np.log(price).mean())) * np.exp(
        generator.normal(0, 0.22, 6000)
    )
    ours, theirs = (np.abs(answers[name] - price) for name in ("challenger", "champion"))
    assert ours.mean() < 0.9 * theirs.mean()
    labels = labels_of(frame)
    found = []
    for name, parts in dimensions(frame, (answers["challenger"] + answers["champion"]) / 2, np.zeros(6000, dtype=bool)):
        found += changes(ours, theirs, labels, name, parts)
    honest = judge_slices(POLICY.promotion, found, 0.95)
    fifth = np.digitize(price, np.quantile(price, [0.2, 0.4, 0.6, 0.8]))
    by_price = judge_slices(POLICY.promotion, changes(ours, theirs, labels, "price", (fifth, list("12345"))), 0.95)
    assert (honest.verdict, by_price.verdict) == ("pass", "fail")


def test_the_ratio_study_is_that_of_the_assessors():
    """All ratios alike: nothing is uneven. Dear homes low: PRD above 1, PRB below 0."""
    price = np.exp(np.linspace(11, 14, 400))
    even = ratio_study(price, 0.9 * price)
    assert even == pytest.approx({"median_ratio": 0.9, "cod": 0.0, "prd": 1.0, "prb": 0.0}, abs=1e-12)
    uneven = ratio_study(price, price**0.9 * 3)
    assert uneven["prd"] > 1.03
    assert uneven["prb"] < -0.03
    # By hand: ratios 1.5, 1, 0.5 of prices 1, 2, 4 (hundred thousand dollars).
    known = ratio_study(np.array([1e5, 2e5, 4e5]), np.array([1.5e5, 2e5, 2e5]))
    assert (known["median_ratio"], known["cod"]) == (1.0, pytest.approx(1 / 3))
    assert known["prd"] == pytest.approx(1 / (5.5 / 7))
    value = np.log2([1.25, 2.0, 3.0])
    assert known["prb"] == pytest.approx(np.polyfit(value, [0.5, 0.0, -0.5], 1)[0])
    assert ratio_study(price[:1], price[:1]) == {}


def test_a_column_that_holds_the_answer_is_found_and_rare_values_are_not():
    frame = homes(np.random.default_rng(4), 3000)
    column, r2 = most_telling_column(frame)
    assert column in ("house_size", "zip_code")
    assert r2 < 0.6
    frame["brokered_by"] = np.arange(3000, dtype=float)
    frame["city"] = [f"Town {n}" for n in range(3000)]
    assert most_telling_column(frame)[1] == pytest.approx(r2)
    frame["acre_lot"] = frame["price"] / 1e6
    column, r2 = most_telling_column(frame)
    assert (column, r2 > 0.95) == ("acre_lot", True)
    assert most_telling_column(frame.head(1)) == (None, None)


def signature(**types):
    kinds = {**API_TYPES, **types}
    inputs = [ColSpec(getattr(DataType, kind), name, required=False) for name, kind in kinds.items() if kind]
    return ModelSignature(inputs=Schema(inputs), outputs=OUTPUTS)


def test_the_signature_of_the_train_step_is_what_the_api_sends():
    from ct_serving.model_holder import DATES, NUMBERS, TEXTS
    from ct_serving.schemas import FIELDS
    from ct_train.tracking import SIGNATURE

    assert signature_problems(SIGNATURE) == []
    assert {**dict.fromkeys(NUMBERS, "double"), **dict.fromkeys((*TEXTS, *DATES), "string")} == dict(API_TYPES)
    assert set(FIELDS) == set(API_TYPES)


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (signature(), []),
        (signature(bath=None), []),
        (signature(bed="long"), ["bed: long ≠ double"]),
        (signature(zip_code="double"), ["zip_code: double ≠ string"]),
        (signature(street="double", price="double"), ["street: double", "price: double"]),
        (None, None),
        (ModelSignature(outputs=OUTPUTS), None),
        (ModelSignature(inputs=Schema([TensorSpec(np.dtype(float), (-1, 10))]), outputs=OUTPUTS), ["inputs: no named columns"]),
    ],
)
def test_a_signature_that_the_api_does_not_keep_is_told_column_by_column(found, problems):
    assert signature_problems(found) == problems


def test_inputs_that_identify_a_home_are_named():
    assert identifying_inputs(signature(street="double", price="double")) == ["street", "price"]
    assert identifying_inputs(signature()) == identifying_inputs(None) == []


def test_a_run_by_hand_that_was_told_no_code_is_not_known():
    tags = {"ct.git_sha": "unknown", "ct.image": "none"}
    assert unknown_lineage(tags, golden=False) == list(LINEAGE)
    assert "code" not in unknown_lineage({"ct.image": "images/train:0.1.0"}, golden=False)
    assert "code" not in unknown_lineage({"ct.git_sha": "abc"}, golden=False)


class Priced:
    def __init__(self, price):
        self.price = price

    def predict(self, frame):
        if self.price is None:
            raise ValueError("no")
        return pd.DataFrame({"price": np.broadcast_to(np.asarray(self.price, dtype=float), len(frame))})


@pytest.mark.parametrize(
    ("ours", "theirs", "share"),
    [
        (119.0, 100.0, 0.0),
        (121.0, 100.0, 1.0),
        ([79.0, 81.0, 100.0, 100.0], 100.0, 0.25),
        ([math.nan, 100.0, 100.0, 100.0], 100.0, 0.25),
        (math.nan, math.nan, 0.0),
        (None, 100.0, None),
    ],
)
def test_a_request_has_moved_if_its_price_changes_by_much_or_is_lost(ours, theirs, share):
    assert moved_share(Priced(ours), Priced(theirs), [{}] * 4, 0.20) == share


def test_without_requests_or_models_nothing_has_moved():
    assert moved_share(Priced(1.0), Priced(1.0), [], 0.2) is moved_share(Priced(1.0), None, [{}], 0.2) is None
