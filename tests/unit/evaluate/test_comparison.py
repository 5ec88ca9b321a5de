"""The comparison itself, with models that are plain functions: what would pass by a weaker rule and does not by this one."""

import numpy as np
import pandas as pd
import pytest
from ct_contract import BadDataError
from ct_decisions.bootstrap import Clusters, mean, relative_change
from ct_decisions.policy import load_policy
from ct_decisions.promotion import decide
from ct_decisions.registry import Version
from ct_evaluate.comparison import Contestants, compare

pytestmark = pytest.mark.unit

POLICY = load_policy("strict")


class Answers:
    """A model whose errors are given by the row's broker number, which numbers the rows."""

    def __init__(self, truth, log_error):
        self.price = np.exp(np.log(truth) + log_error)

    def predict(self, frame):
        price = self.price[frame["brokered_by"].to_numpy(dtype=int)]
        return pd.DataFrame({"price": price, "price_low": price * np.exp(-0.35), "price_high": price * np.exp(0.35)})


def listings(generator, rows, zips, batch_id=1):
    size = np.exp(generator.normal(7.4, 0.4, rows))
    rooms = generator.integers(1, 6, rows)
    zip_codes = [f"{90000 + z:05d}" for z in generator.integers(0, zips, rows)]
    keys = [f"{batch_id}|{n}" for n in range(rows)]
    return pd.DataFrame({
        "batch_id": batch_id, "property_key": keys, "brokered_by": np.arange(rows, dtype=float), "status": "for_sale",
        "price": size * 150 * np.exp(0.3 * (rooms - 3)), "bed": rooms.astype(float), "bath": 2.0, "acre_lot": 0.2,
        "city": "Town", "state": "California", "zip_code": zip_codes, "house_size": size,
        "prev_sold_date": None, "split": "test", "relisted": False,
    })  # fmt: skip


def judge(holdout, champion, challenger, retrain_code="TRAIN_VOLUME", new_batches=()):
    generator = np.random.default_rng(99)
    found = compare(
        Contestants(
            challenger=Version("2", "r", {}), challenger_model=challenger,
            champion=Version("1", "r", {}) if champion is not None else None, champion_model=champion,
        ),
        holdout=holdout, train=listings(generator, 4000, 40, batch_id=9), new_batches=new_batches, calibration_rows=5000,
        policy=POLICY,
    )  # fmt: skip
    verdict = decide(
        POLICY.promotion, found.gates, champion_version="1" if champion is not None else None, retrain_code=retrain_code
    )
    return found, verdict


def noise(generator, rows, size=0.21):
    return generator.normal(0, size, rows)


def test_a_gain_in_one_zip_code_is_not_proven_though_a_bootstrap_of_rows_would_call_it_so():
    generator = np.random.default_rng(5)
    holdout = listings(generator, 3000, 40)
    ours = noise(generator, 3000)
    one = (holdout["zip_code"] == holdout["zip_code"].mode()[0]).to_numpy()
    theirs = np.where(one, ours + np.sign(ours) * 0.5, ours)
    truth = holdout["price"].to_numpy()
    found, verdict = judge(holdout, Answers(truth, theirs), Answers(truth, ours))
    gate = next(gate for gate in found.gates if gate.name == "superiority")
    assert gate.value < -0.01
    assert (verdict.outcome, verdict.code) == ("reject", "REJECT_NOT_BETTER")
    errors = [np.abs(np.exp(np.log(truth) + error) - truth) for error in (ours, theirs)]
    by_row = relative_change(*errors, Clusters(np.arange(3000)), POLICY.bootstrap)
    assert by_row.high < 0, "rows taken one by one look significant: only the clusters prevent this promotion"


def test_the_same_gain_everywhere_is_promoted():
    generator = np.random.default_rng(6)
    holdout = listings(generator, 3000, 40)
    ours = noise(generator, 3000)
    truth = holdout["price"].to_numpy()
    _, verdict = judge(holdout, Answers(truth, ours * 1.05), Answers(truth, ours))
    assert verdict.code == "PROMOTE_BETTER"


def test_a_model_far_better_on_a_harder_population_is_promoted_though_its_error_is_larger_than_the_stored_one():
    """The champion knew homes of 300,000 dollars, then dearer ones came: its old MAE is lower, and worth nothing."""
    generator = np.random.default_rng(7)
    holdout = pd.concat([listings(generator, 1500, 40), listings(generator, 1500, 40, batch_id=2)], ignore_index=True)
    holdout["brokered_by"] = np.arange(3000, dtype=float)
    holdout.loc[holdout["batch_id"] == 2, "price"] *= 4
    truth = holdout["price"].to_numpy()
    old = (holdout["batch_id"] == 1).to_numpy()
    theirs = np.where(old, noise(generator, 3000, 0.15), np.log(0.25) + noise(generator, 3000))
    ours = noise(generator, 3000)
    found, verdict = judge(holdout, Answers(truth, theirs), Answers(truth, ours), new_batches=[2])
    stored = np.mean(np.abs(np.exp(np.log(truth) + theirs) - truth)[old])
    mae = {line["role"]: line["metrics"]["mae"] for line in found.evaluations if line["dataset"] == "hold-out"}
    assert mae["challenger"] > stored
    assert verdict.code == "PROMOTE_BETTER"


def test_twenty_challengers_that_differ_by_their_seed_alone_are_all_rejected():
    generator = np.random.default_rng(8)
    holdout = listings(generator, 12_000, 60)
    truth = holdout["price"].to_numpy()
    for _ in range(20):
        common = noise(generator, 12_000)
        one, other = (Answers(truth, common + generator.normal(0, 0.03, 12_000)) for _ in range(2))
        _, verdict = judge(holdout, one, other)
        assert verdict.outcome == "reject"


def test_the_order_of_the_rows_changes_no_verdict_and_no_metric():
    generator = np.random.default_rng(9)
    holdout = listings(generator, 1500, 30)
    truth, ours = holdout["price"].to_numpy(), noise(generator, 1500)
    models = Answers(truth, ours * 1.1), Answers(truth, ours)
    first, one = judge(holdout, *models)
    second, two = judge(holdout.sample(frac=1, random_state=3).reset_index(drop=True), *models)
    assert one == two
    for gate, other in zip(first.gates, second.gates, strict=True):
        assert (gate.name, gate.verdict) == (other.name, other.verdict)
        assert gate.value == pytest.approx(other.value)
        assert gate.ci_low == pytest.approx(other.ci_low)


def test_a_champion_that_gives_no_sound_price_is_not_beaten_silently():
    generator = np.random.default_rng(10)
    holdout = listings(generator, 300, 10)
    truth = holdout["price"].to_numpy()
    with pytest.raises(BadDataError, match="Nothing was decided") as caught:
        judge(holdout, Answers(truth, np.full(300, np.nan)), Answers(truth, noise(generator, 300)))
    assert caught.value.code == "CHAMPION_UNSOUND"


@pytest.mark.parametrize(("rows", "verdict"), [(650, "pass"), (6500, "fail")])
def test_the_worst_of_five_fifths_fails_where_it_is_proven_and_not_by_luck(rows, verdict):
    """One fifth covers 78 %, which the interval of that fifth alone calls too little in both cases."""
    generator = np.random.default_rng(11)
    holdout = listings(generator, rows, rows)
    holdout["price"] = np.sort(holdout["price"].to_numpy())
    truth = holdout["price"].to_numpy()
    outside = generator.permuted(np.arange(rows // 5) < round(0.22 * (rows // 5)))
    error = np.concatenate([np.where(outside, -0.36, 0.0), np.zeros(rows - rows // 5)])
    found, _ = judge(holdout, None, Answers(truth, error), retrain_code="TRAIN_BOOTSTRAP")
    gate = next(gate for gate in found.gates if gate.name == "interval_fifths")
    assert gate.note["fifth"] == 1
    assert gate.value < 0.80
    assert gate.verdict == verdict
    inside = np.abs(error[: rows // 5]) < 0.35
    alone = mean(inside.astype(float), Clusters(np.arange(rows // 5)), POLICY.bootstrap)
    assert alone.high < 0.85, "judged alone this fifth would fail: only that it is the worst of five saves the small one"


def test_a_hold_out_of_one_zip_code_proves_no_gain_and_no_fault():
    """Of one cluster every resample is the same, so that its interval has no width."""
    generator = np.random.default_rng(12)
    holdout = listings(generator, 1000, 1)
    truth, ours = holdout["price"].to_numpy(), noise(generator, 1000)
    found, verdict = judge(holdout, Answers(truth, ours * 1.3), Answers(truth, ours))
    by_name = {gate.name: gate for gate in found.gates}
    assert by_name["superiority"].ci_high < -0.02
    assert verdict.code == "REJECT_NOT_BETTER"
    assert {by_name[name].verdict for name in ("bias", "intervals", "interval_fifths")} == {"n/a"}


def test_a_loss_that_is_the_luck_of_zip_codes_fails_no_slice_of_the_comparison():
    by_cluster = 0
    for seed in range(12):
        generator = np.random.default_rng(seed)
        holdout = listings(generator, 3000, 40)
        truth, theirs = holdout["price"].to_numpy(), noise(generator, 3000)
        luck = np.exp(generator.normal(0, 0.3, 40))[pd.factorize(holdout["zip_code"])[0]]
        found, _ = judge(holdout, Answers(truth, theirs), Answers(truth, theirs * luck))
        by_cluster += next(gate for gate in found.gates if gate.name == "slices").verdict == "fail"
    assert by_cluster <= 1
