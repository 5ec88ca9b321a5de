"""What charts are drawn from: every row is in exactly one bin, and the bins say the truth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from ct_evaluate.diagnostics import ERROR_EDGES, PRICE_EDGES, diagnose
from house_prices.scoring import Scored

pytestmark = pytest.mark.unit


def scored(price, answer, low=0.7, high=1.4):
    answer = np.asarray(answer, dtype=float)
    answers = pd.DataFrame({"price": answer, "price_low": answer * low, "price_high": answer * high})
    return Scored(np.asarray(price, dtype=float), answers)


def found(lines, kind, role="challenger"):
    return next(line for line in lines if (line["role"], line["kind"]) == (role, kind))


def test_every_row_is_counted_once_also_beyond_the_edges():
    generator = np.random.default_rng(1)
    price = np.exp(generator.normal(12.6, 1.5, 5000))
    answer = price * np.exp(generator.normal(0.1, 0.8, 5000))
    rows = np.arange(5000) % 2 == 0
    lines = diagnose({"challenger": ("2", scored(price, answer)), "champion": ("1", scored(price, price))}, rows)
    assert [(line["role"], line["model_version"], line["row_count"]) for line in lines][::3] == [
        ("challenger", "2", 2500), ("champion", "1", 2500),
    ]  # fmt: skip
    errors, prices, intervals = (found(lines, kind)["content"] for kind in ("errors", "prices", "intervals"))
    assert sum(errors["counts"]) == sum(count for *_, count in prices["cells"]) == 2500
    assert sum(part["rows"] for part in intervals["tenths"]) == 2500
    log = np.log(answer / price)[rows]
    assert errors["counts"][0] == np.count_nonzero(log < ERROR_EDGES[0])
    assert errors["counts"][-1] == np.count_nonzero(log >= ERROR_EDGES[-1])
    assert errors["counts"][1:-1] == np.histogram(log[log < ERROR_EDGES[-1]], ERROR_EDGES)[0].tolist()


def test_a_model_that_is_always_right_lies_on_the_diagonal():
    price = PRICE_EDGES[:-1] * 1.01
    (line,) = [line for line in diagnose({"champion": ("1", scored(price, price))}, price > 0) if line["kind"] == "prices"]
    assert line["content"]["cells"] == [[number, number, 1] for number in range(len(PRICE_EDGES) - 1)]


def test_the_tenths_say_where_the_interval_misses():
    answer = np.linspace(100_000, 1_000_000, 1000)
    price = np.where(np.arange(1000) < 100, answer * 2, answer)
    price[-50:] = answer[-50:] * 0.5
    tenths = found(diagnose({"challenger": ("1", scored(price, answer))}, answer > 0), "intervals")["content"]["tenths"]
    assert [part["above"] for part in tenths] == [100] + [0] * 9
    assert [part["below"] for part in tenths] == [0] * 9 + [50]
    assert all(part["width"] == pytest.approx(2.0) for part in tenths)
    assert all(before["high"] < after["low"] for before, after in pairwise(tenths))


def test_few_rows_and_none():
    assert diagnose({"challenger": ("1", scored([1.0], [1.0]))}, np.array([False])) == []
    lines = diagnose({"challenger": ("1", scored([1e5] * 3, [1e5] * 3, low=0.0))}, np.array([True] * 3))
    tenths = found(lines, "intervals")["content"]["tenths"]
    assert len(tenths) == 3
    assert tenths[0]["width"] is None
