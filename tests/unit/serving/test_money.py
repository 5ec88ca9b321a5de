from __future__ import annotations

import math

import pytest
from ct_serving.explaining import TOLERANCE, NotAdditiveError, money
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

PARTS = st.dictionaries(st.sampled_from(["location", "house_size", "bed", "bath", "status"]), st.floats(-3, 3), min_size=1)


@given(PARTS, st.floats(9, 15))
def test_the_dollars_add_up_to_the_price_less_the_base_price_with_the_signs_of_the_parts(parts, base):
    price = math.exp(base + math.fsum(parts.values()))
    found = money(parts, base, price)
    lines = found["contributions"]
    assert found["base"] == {"log": base, "price": math.exp(base)}
    assert math.fsum(line["usd"] for line in lines) == pytest.approx(price - math.exp(base), abs=2e-6 * price)
    assert {line["field"]: line["log"] for line in lines} == parts
    for line in lines:
        assert line["factor"] == math.exp(line["log"])
        assert line["usd"] * line["log"] >= 0
    sizes = [abs(line["log"]) for line in lines]
    assert sizes == sorted(sizes, reverse=True)


def test_where_the_parts_cancel_each_keeps_its_size():
    lines = {
        line["field"]: line["usd"] for line in money({"bed": 0.1, "bath": -0.1}, math.log(200_000), 200_000)["contributions"]
    }
    assert lines == {"bed": pytest.approx(20_000), "bath": pytest.approx(-20_000)}


def test_the_logarithmic_mean_is_the_published_one():
    # Ang 2005, equation for L(a, b) = (a - b) / (ln a - ln b): half of the way in logs is half of the money.
    lines = money({"bed": math.log(2), "bath": math.log(2)}, math.log(100_000), 400_000)["contributions"]
    assert [line["usd"] for line in lines] == [pytest.approx(150_000)] * 2


@pytest.mark.parametrize("wrong", [TOLERANCE * 2, -TOLERANCE * 2, 1.0, math.nan])
def test_parts_that_do_not_add_up_are_an_error_and_no_answer(wrong):
    price = math.exp(12)
    assert money({"bed": 0.5}, 11.5 + TOLERANCE / 2, price)
    with pytest.raises(NotAdditiveError, match="miss the logarithm of the price"):
        money({"bed": 0.5 + wrong}, 11.5, price)
