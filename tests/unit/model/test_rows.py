"""Rows without a table have the features and the prices of the table, to the last bit."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from house_prices.model import RAW_COLUMNS
from house_prices.requests import golden_requests, request_frame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

LEARNERS = ("catboost", "hist_gradient_boosting")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(str.strip).filter(bool)
OF_COLUMN = dict.fromkeys(RAW_COLUMNS, st.floats(0, 1e12, allow_subnormal=True) | st.integers(0, 2000)) | {
    "status": st.sampled_from(["sold", "for_sale", "ready_to_build"]) | WORDS,
    "city": st.sampled_from([f"Town {number}" for number in range(11)]) | WORDS,
    "state": st.sampled_from(["Ohio", "Oregon"]) | WORDS,
    "zip_code": (st.integers(46, 92).map(lambda number: number * 13) | st.integers(1, 99_999)).map(lambda n: f"{n:05d}"),
    "prev_sold_date": st.dates(date(1700, 1, 1), date(2100, 12, 31)).map(str),
}
ROW = st.tuples(*(st.none() | OF_COLUMN[name] for name in RAW_COLUMNS))


def by_table(model, rows):
    return model.predict(request_frame([dict(zip(RAW_COLUMNS, row, strict=True)) for row in rows])).to_numpy()


@pytest.mark.parametrize("learner", LEARNERS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_any_rows_have_the_prices_of_the_table(models, learner, rows):
    np.testing.assert_array_equal(models[learner].predict_rows(rows), by_table(models[learner], rows))


@pytest.mark.parametrize("learner", LEARNERS)
def test_homes_alone_and_together_have_the_prices_of_the_table(models, homes, learner):
    rows = [tuple(request[name] for name in RAW_COLUMNS) for request in golden_requests(homes, 1500)]
    wanted = by_table(models[learner], rows)
    np.testing.assert_array_equal(models[learner].predict_rows(rows), wanted)
    for start in range(0, 40):
        np.testing.assert_array_equal(models[learner].predict_rows([rows[start]]), wanted[start : start + 1])
    assert models[learner].predict_rows([]).shape == (0, 3)
