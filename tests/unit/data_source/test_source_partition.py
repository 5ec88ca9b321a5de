from __future__ import annotations

import numpy as np
import pytest
from ct_data_source.partition import BATCH_ROWS, UNASSIGNED, assign, batch_rows, scaled
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit


def one(price: float, state: str, status: str, size: float) -> int:
    columns = [np.array([price]), np.array([state], dtype=object), np.array([status], dtype=object), np.array([size])]
    return int(assign(*columns)[0])


def written_rule(price: float, state: str, status: str, size: float) -> int:
    if price > 500_000:
        return 5
    if price > 300_000:
        return 4
    if state == "Massachusetts":
        return 3
    if status == "sold":
        return 2
    if status == "for_sale":
        return 0 if size >= 1500 else 1
    return UNASSIGNED


@given(
    price=st.one_of(st.sampled_from([0.0, 300_000.0, 300_000.01, 500_000.0, 500_000.01]), st.floats(0, 1e9)),
    state=st.sampled_from(["Massachusetts", "Ohio", "massachusetts"]),
    status=st.sampled_from(["sold", "for_sale", "ready_to_build"]),
    size=st.one_of(st.sampled_from([1499.0, 1500.0]), st.floats(1, 1e6)),
)
def test_the_rule_is_the_documented_one(price: float, state: str, status: str, size: float) -> None:
    assert one(price, state, status, size) == written_rule(price, state, status, size)


def test_the_documented_sizes() -> None:
    assert batch_rows(100) == (73_784, 94_551, 230_366, 4_055, 320_696, 361_457)
    assert sum(BATCH_ROWS) == 1_084_909
    assert batch_rows(10) == (7_378, 9_455, 23_037, 406, 32_070, 36_146)
    assert batch_rows(1) == (738, 946, 2_304, 41, 3_207, 3_615)


@given(rows=st.integers(1, 400_000), low=st.floats(1, 100), high=st.floats(1, 100))
def test_a_larger_scale_never_keeps_fewer_rows(rows: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 1 <= scaled(rows, low) <= scaled(rows, high) <= rows
