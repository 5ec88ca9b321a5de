"""Reliance, bands, movers and their charts, from plain arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ct_dashboard import charts_effects, effects
from ct_dashboard import charts_explain as charts
from ct_dashboard.charts_metrics import value_text
from ct_dashboard.explaining import BASE, Reliance, compare_reliance, medians, moved, movers, ranks, shares, swarm
from ct_dashboard.insights import Explained, Explanation, FixedSet, Measured, Standing
from ct_dashboard.text import Text
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

EN, ES = Text("en"), Text("es")
COLUMNS = ("location", "house_size", "bath")
QUIET = dict.fromkeys(COLUMNS, 0.003)


def explanation(version="1", *, seed=0, homes=400, scale=(0.4, 0.3, 0.1), noise=None, base=12.0):
    values = np.random.default_rng(seed).normal(0, scale, (homes, 3))
    return Explanation(version, COLUMNS, base, values, QUIET if noise is None else noise)


def areas(homes=400, count=80):
    return [str(n % count) for n in range(homes)]


@given(seed=st.integers(0, 1000), noise=st.floats(0, 0.02))
def test_a_version_against_itself_is_inside_every_band(seed, noise):
    one = explanation(seed=seed, noise=dict.fromkeys(COLUMNS, noise))
    lines = compare_reliance(one, one, areas())
    assert not [line for line in lines if line.outside]
    assert all(line.before == line.after for line in lines)
    assert moved(one, one)[0][1] == 0
    assert movers(one, one, [{} for _ in range(400)], 5)[0].change == 0


def test_the_choice_of_the_homes_is_in_the_band():
    """Two versions that rely on the same columns, with independent luck on each home: where training has no noise at all."""
    none = dict.fromkeys(COLUMNS, 0.0)
    outside = 0
    for seed in range(100):
        pair = [explanation(seed=2 * seed + n, noise=none) for n in (0, 1)]
        outside += sum(line.outside for line in compare_reliance(*pair, areas()))
    assert outside / 300 < 0.1


def test_a_column_that_counts_twice_as_much_is_outside():
    before, after = explanation(), explanation("2", scale=(0.4, 0.3, 0.2))
    found = {line.column: line for line in compare_reliance(before, after, areas())}
    assert found["bath"].outside
    assert found["bath"].after > found["bath"].before
    assert sum(line.after for line in found.values()) == pytest.approx(1)


def test_a_training_without_a_measured_band_takes_the_constant():
    unmeasured = Explanation("1", COLUMNS, 12.0, explanation().contributions, None)
    assert all(line.band == pytest.approx(0.017) for line in compare_reliance(unmeasured, explanation(), areas()))


def test_a_column_that_only_one_version_has_counts_nothing_in_the_other():
    less = Explanation("1", ("location",), 12.0, np.full((4, 1), 0.5), None)
    more = Explanation("2", ("location", "bath"), 12.0, np.full((4, 2), 0.5), None)
    found = {line.column: (line.before, line.after) for line in compare_reliance(less, more, ["a", "b", "c", "d"])}
    assert found == {"location": (1.0, 0.5), "bath": (0.0, 0.5)}


def test_what_moved_a_price_multiplies_to_its_change_exactly():
    before, after = explanation(seed=1), explanation("2", seed=2, base=12.2)
    homes = [{"property_key": str(n)} for n in range(400)]
    found = movers(before, after, homes, 400)
    for mover in found:
        row = int(mover.home["property_key"])
        assert math.fsum(size for _, size in mover.parts) == pytest.approx(mover.after - mover.before, abs=1e-12)
        assert mover.after == pytest.approx(after.base + after.contributions[row].sum())
    assert [abs(math.log1p(mover.change)) for mover in found] == sorted(
        (abs(math.log1p(mover.change)) for mover in found), reverse=True
    )
    assert dict(moved(before, after))[BASE] == pytest.approx(0.2)


def test_shares_of_nothing_are_nothing():
    empty = Explanation("1", COLUMNS, 12.0, np.zeros((3, 3)), None)
    assert set(shares(empty).values()) == {0.0}


@given(values=st.lists(st.floats(-3, 3), max_size=80))
def test_a_swarm_keeps_points_of_a_bin_apart_and_inside_its_strip(values):
    offsets = swarm(np.array(values))
    assert len(offsets) == len(values)
    assert np.all(np.abs(offsets) <= 0.4 + 1e-9)
    if values and min(values) == max(values):
        assert len(set(offsets.tolist())) == len(values)


def test_ranks_and_medians():
    assert ranks([3.0, None, 1.0, 2.0]) == [1.0, None, 0.0, 0.5]
    assert ranks([5.0, 5.0, 7.0]) == [0.25, 0.25, 1.0]
    assert ranks([4.0, None]) == [0.5, None]
    x, y = medians(np.array([1.0, 1, 2, 2, 3, 3]), np.array([1.0, 3, 5, 7, 9, 11]), 3)
    assert (x.tolist(), y.tolist()) == ([1, 2, 3], [2, 6, 10])


HOMES = [
    {"property_key": str(n), "city": "Hilo", "state": ["Hawaii", "Ohio"][n % 2], "zip_code": str(n % 80), "bath": None if n == 0
     else float(n % 3 + 1), "house_size": 1000.0 + n, "status": "sold", "price": 2e5, "prev_sold_date": "2020-07-01"}
    for n in range(400)
]  # fmt: skip


def test_the_reliance_chart_marks_what_is_outside_the_band():
    lines = [Reliance("location", 0.5, 0.4, 0.02), Reliance("house_size", 0.3, 0.31, 0.02), Reliance("bath", 0.2, 0.29, 0.3)]
    figure = charts.reliance_chart(lines, "1", "2", ES)
    band, inside, outside, old, new = figure.data
    names = [effects.column_name(line.column, ES) for line in lines]
    assert list(band.y) == names
    for strokes, drawn in ((inside, False), (outside, True)):
        assert list(strokes.y[::3]) == [name for line, name in zip(lines, names, strict=True) if line.outside == drawn]
    assert outside.line.width > inside.line.width
    assert (old.name, new.name) == ("versión 1", "versión 2")
    assert list(new.x) == [line.after for line in lines]
    assert all(base >= 0 for base in band.base)


def test_the_beeswarm_has_a_strip_for_each_column_and_grey_for_what_has_no_order():
    figure = charts.beeswarm_chart(explanation(), HOMES, EN)
    grey, coloured = figure.data
    assert len(grey.x) + len(coloured.x) == 3 * charts.SWARM_HOMES
    assert grey.marker.color == charts.UNORDERED
    # All of the location, and the first home, whose bathrooms are not known.
    assert len(grey.x) == charts.SWARM_HOMES + 1
    assert grey.hovertext[-1].startswith("Bathrooms: not known")
    assert coloured.marker.color[0] == 0, "the smallest home is the lowest"
    assert max(coloured.marker.color) == 1
    assert list(figure.layout.yaxis.ticktext) == ["Location", "Living area", "Bathrooms"]
    assert "0%" in [tick.replace(".0", "") for tick in figure.layout.xaxis.ticktext]


def test_dependence_is_by_value_for_numbers_and_by_category_for_places():
    pair = explanation(), explanation("2", seed=4)
    numbers = charts_effects.dependence_chart(*pair, HOMES, "bath", EN)
    assert [trace.name for trace in numbers.data if trace.name] == ["version 1", "version 2"]
    assert numbers.layout.xaxis.title.text == "bathrooms"
    # The first home, whose bathrooms are not known, is left out.
    assert len(numbers.data[0].x) == charts_effects.MOST_POINTS
    assert charts_effects.dependence_chart(*pair, HOMES, "house_size", EN).layout.xaxis.type == "log"
    places = charts_effects.dependence_chart(*pair, HOMES, "location", EN)
    assert list(places.data[0].y) == ["Hawaii", "Ohio"]


def test_the_mover_chart_leaves_out_what_moved_nothing():
    before = explanation(seed=1)
    after = Explanation("2", COLUMNS, 12.0, before.contributions + np.array([0.3, 0.0, -0.1]), QUIET)
    (mover,) = movers(before, after, HOMES, 1)
    figure = charts_effects.mover_chart(mover, "1", "2", ES)
    assert list(figure.data[0].y) == ["Ubicación", "Baños"]
    assert list(figure.data[0].text) == ["+35 %", "−10 %"]
    assert "(v1) → " in figure.layout.title.text


def test_pairs_are_compared_on_homes_that_both_were_asked_about():
    sets = [FixedSet(name, number, None, 1, 1) for number, name in ((2, "c"), (1, "b"), (0, "a"))]
    lines = [("a", "1"), ("b", "1"), ("b", "2"), ("c", "2"), ("c", "10")]
    measured = Measured(
        sets,
        [*(Explained(digest, version, None) for digest, version in lines), Explained("c", "3", "X")],
        Standing("2", frozenset()),
    )
    assert measured.versions() == ["10", "2", "1"]
    assert measured.partners("2") == ["10", "2", "1"]
    assert measured.partners("10") == ["10", "2"]
    assert measured.common_set("2", "1").digest == "b"
    assert measured.common_set("2").digest == "c"
    assert measured.common_set("10", "1") is None
    assert (measured.problem("3"), measured.problem("2")) == ("X", None)


def test_metrics_have_their_unit():
    assert value_text("mae", 123_456, EN) == "$123,500"
    assert value_text("mdape", 0.1234, ES) == "12,3 %"
    assert value_text("r2_log", 0.7251, ES) == "0,725"
    assert value_text("mae", None, EN) == "–"
