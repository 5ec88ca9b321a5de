"""The domain classifier finds what differs and nothing where nothing does; changes of columns are those since the champion."""

import numpy as np
import pandas as pd
import pytest
from ct_assess.classifier import COLUMNS, fold_of, judge_domain
from ct_assess.schema import judge_schema
from ct_decisions.policy import load_policy

pytestmark = pytest.mark.unit

POLICY = load_policy("strict")


def homes(rows, seed, *, states=("California", "Texas"), **changes):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "house_size": random.normal(7.4, 0.4, rows),
            "bed": random.integers(1, 6, rows).astype(float),
            "bath": random.integers(1, 4, rows).astype(float),
            "acre_lot": np.where(random.random(rows) < 0.2, np.nan, random.normal(-1.5, 0.8, rows)),
            "prev_sold_date": None,
            "status": random.choice(["for_sale", "sold"], rows),
            "state": random.choice(states, rows),
            "area": [f"{zip_code:05d}" for zip_code in random.integers(90_000, 90_200, rows)],
        }
    )
    return frame.assign(**{name: change(frame[name]) for name, change in changes.items()})


def test_homes_of_one_population_cannot_be_told_apart():
    found = judge_domain(POLICY, homes(2000, 1), homes(800, 2))
    assert found.verdict == "ok"
    assert found.ci_low < 0.5 < found.ci_high + 0.02
    assert (found.note["rows"], found.note["reference_rows"]) == (800, 2000)


def test_what_gives_the_new_homes_away_is_named():
    found = judge_domain(POLICY, homes(2000, 1), homes(800, 2, house_size=lambda size: size + 0.8))
    assert found.verdict == "fire"
    assert found.value > 0.8
    assert found.note["columns"][0] == "house_size"
    assert set(found.note["drops"]) == {column.name for column in COLUMNS}


def test_a_new_state_is_seen_and_the_same_call_gives_the_same_number():
    reference, new = homes(1500, 1), homes(600, 2, states=("Nevada",))
    first, second = (judge_domain(POLICY, reference, new) for _ in range(2))
    assert first == second
    assert (first.verdict, first.note["columns"][0]) == ("fire", "state")


def test_neither_the_price_nor_the_place_is_shown_to_it():
    assert not {"price", "city", "zip_code", "street", "brokered_by", "area"} & {column.name for column in COLUMNS}


@pytest.mark.parametrize(("reference", "new"), [(2000, 49), (49, 2000)])
def test_few_homes_are_not_judged(reference, new):
    assert judge_domain(POLICY, homes(reference, 1), homes(new, 2)).verdict == "n/a"


def test_homes_of_one_area_are_not_judged_for_there_is_nothing_to_learn_them_from():
    one = homes(200, 1).assign(area="90001")
    assert judge_domain(POLICY, one, homes(200, 2).assign(area="90001")).verdict == "n/a"


def test_folds_are_whole_areas():
    area = homes(3000, 1)["area"]
    folds = fold_of(area, 5)
    assert pd.Series(folds).groupby(area.to_numpy()).nunique().eq(1).all()
    assert np.all(np.bincount(folds, minlength=5) > 300)
    assert np.array_equal(fold_of(area[::-1], 5), folds[::-1])


def changes(known, new):
    return [(s.feature, s.note.get("change"), s.value, s.verdict) for s in judge_schema(POLICY.retrain, known, new)]


def test_no_change_is_a_signal_of_zero():
    assert changes({}, {}) == [(None, None, 0.0, "ok")]


def test_a_change_counts_from_its_share_of_rows_on_the_largest_first():
    found = changes({}, {("bed", "retyped"): 0.06, ("brokered_by", "missing"): 1.0, ("city", "missing"): 0.04})
    assert found == [
        ("brokered_by", "missing", 1.0, "fire"),
        ("bed", "retyped", 0.06, "fire"),
        ("city", "missing", 0.04, "ok"),
    ]


def test_what_the_champion_knows_is_no_change():
    same = {("brokered_by", "missing"): 1.0, ("id", "new"): 1.0}
    assert changes(same, same) == [(None, None, 0.0, "ok")]


def test_a_form_that_the_champion_was_trained_on_trains_no_second_time():
    """It came with the batch before: the champion has seen a fifth of its homes without the column."""
    missing = ("brokered_by", "missing")
    assert changes({missing: 0.2}, {missing: 1.0}) == [("brokered_by", "missing", 1.0, "ok")]
    assert changes({missing: 0.04}, {missing: 1.0}) == [("brokered_by", "missing", 1.0, "fire")]
    assert changes({missing: 0.9}, {}) == [("brokered_by", "returned", 1.0, "ok")]


def test_a_column_that_is_there_again_is_a_change_and_one_that_nobody_can_use_never_trains():
    assert changes({("brokered_by", "missing"): 1.0}, {}) == [("brokered_by", "returned", 1.0, "fire")]
    assert changes({}, {("garage", "new"): 1.0}) == [("garage", "new", 1.0, "ok")]
    assert changes({("bed", "retyped"): 1.0}, {}) == [(None, None, 0.0, "ok")]
