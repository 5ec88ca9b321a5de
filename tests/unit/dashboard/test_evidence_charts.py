"""Charts and figures of the evidence pages, from plain values."""

from __future__ import annotations

import dataclasses
import math

import pytest
from ct_dashboard import charts, charts_comparison, charts_data, charts_operations, diagnostics, drift, lineage, tables
from ct_dashboard.api import Explanation, Part
from ct_dashboard.data import History, Run
from ct_dashboard.diagnostics import Change, Shapes
from ct_dashboard.drift import Measured
from ct_dashboard.figures import wrapped
from ct_dashboard.listings import PRICE_BINS, PriceBins, centre
from ct_dashboard.prometheus import gauges
from ct_dashboard.tables_quality import expectation, found_words
from ct_dashboard.text import Text

pytestmark = pytest.mark.unit

EN, ES = Text("en"), Text("es")


def shapes(counts):
    edges = [-0.2, -0.1, 0.0, 0.1, 0.2]
    prices = {"edges": [1e4, 1e5, 1e6], "cells": [[0, 0, 10], [1, 0, 1]]}
    tenths = {"tenths": [{"low": 1e5, "high": 2e5, "rows": 100, "below": 4, "above": 6, "width": 2.0}]}
    return Shapes("3", sum(counts), {"edges": edges, "counts": counts}, prices, tenths)


def test_the_error_curve_counts_both_sides_and_leaves_out_what_is_beyond():
    off, within = diagnostics.error_curve(shapes([5, 10, 20, 40, 15, 10]))
    assert off == pytest.approx([0, math.expm1(0.1), math.expm1(0.2)])
    assert within == pytest.approx([0, 0.6, 0.85])
    assert diagnostics.median_error(shapes([5, 10, 20, 40, 15, 10])) == pytest.approx(math.expm1(0.1) * 0.5 / 0.6)
    assert diagnostics.median_error(shapes([50, 0, 0, 0, 0, 50])) is None


def test_wilsons_interval_is_that_of_the_textbook():
    assert diagnostics.wilson(90, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert diagnostics.wilson(0, 10)[0] == 0
    assert diagnostics.wilson(0, 0) == (0.0, 1.0)
    (part,) = diagnostics.coverages(shapes([1, 1, 1, 1, 1, 1]))
    assert (part.share, part.width) == (0.9, 2.0)


def test_a_version_against_itself_is_neither_better_nor_worse():
    change = Change("overall", "superiority", 0.0, 0.0, 0.0, -0.01)
    assert change.side == "open"
    figure = charts_comparison.forest_chart([change], EN, "t")
    assert figure.data[0].name == "may be chance"
    assert {Change("d", "v", -0.2, -0.3, -0.1).side, Change("d", "v", 0.2, 0.1, 0.3).side} == {"better", "worse"}


def test_a_forest_keeps_the_order_and_shows_the_largest_slices():
    changes = [Change("state", str(number), 0.01 * number, -0.1, 0.2, 0.05, rows=number) for number in range(30)]
    shown = diagnostics.largest([*changes, Change("size", "1", 0.1, 0.05, 0.2, 0.05, rows=1)])
    assert [change.value for change in shown] == [*map(str, range(18, 30)), "1"]
    figure = charts_comparison.forest_chart(shown, ES, "t")
    assert figure.layout.yaxis.categoryarray[-1] == "Estado: 18"
    assert figure.layout.xaxis.range[0] < -0.1
    assert figure.layout.xaxis.range[1] > 0.2


def test_prices_on_a_grid_with_a_line_where_both_are_equal():
    figure = charts_comparison.price_chart(shapes([1] * 6), "champion", EN, "t")
    assert list(figure.data[0].z) == [[1.0, 0.0], [None, None]]
    assert list(figure.data[1].x) == list(figure.data[1].y)


def cell(batch, feature, value, verdict, **more):
    given = {"low": None, "high": None, "threshold": 0.25, "watch": 0.1, **more}
    return Measured(batch, feature, value, verdict=verdict, **given)


def test_the_heat_map_has_columns_by_their_largest_change_and_gaps_where_nothing_was_measured():
    found = [cell("0", "bed", 0.01, "ok"), cell("0", "price", 0.1, "watch"), cell("1", "bed", 0.5, "fire")]
    figure = charts_data.drift_chart(found, EN, "t")
    assert figure.data[0].y == ("Bedrooms", "Price")
    assert list(figure.data[0].z) == [[0, 2], [1, None]]
    assert [cell.feature for cell in drift.alarms(found)] == ["bed", "price"]


def test_batches_without_signals_are_no_columns_and_the_newest_are_kept():
    lines = [{"batch_id": number, "batch_number": number, "stream": "s"} for number in range(40)]
    signal = {"name": "psi", "feature": "bed", "value": 0.1, "ci_low": None, "ci_high": None, "threshold": 0.2, "note": None,
              "verdict": "ok"}  # fmt: skip
    runs = [Run(line, retrain={"signals": [signal] if line["batch_id"] else []}) for line in reversed(lines)]
    found = drift.signals(History(runs, []), "psi")
    assert [cell.batch for cell in found] == [str(number) for number in range(10, 40)]


def test_hills_have_one_height_whatever_their_number_of_rows():
    small, large = [0] * PRICE_BINS, [0] * PRICE_BINS
    small[3], large[7], large[8] = 1, 5000, 5000
    figure = charts_data.density_chart([("a", PriceBins(1, small)), ("b", PriceBins(2, large))], EN, "t")
    assert max(figure.data[1].y) - 1 == pytest.approx(max(figure.data[3].y)) == pytest.approx(0.92)
    assert centre(0) < centre(1) < 1e7


def test_a_waterfall_goes_from_the_base_to_the_price():
    parts = tuple(Part(f"f{number}", 1000.0, 1.01) for number in range(10))
    explanation = Explanation(100_000.0, 110_000.0, parts, "1")
    figure = charts.waterfall_chart(explanation, {"f0": 3.0}, EN)
    trace = figure.data[0]
    assert sum(trace.x[:-1]) == pytest.approx(trace.x[-1])
    assert trace.y[1] == "f0: 3"
    assert trace.y[-2] == "2 other fields"
    assert trace.text[-2] == "+$2,000"


def test_evidence_has_its_own_units():
    assert tables.measured("latency", 96.81, EN) == "96.8 ms"
    assert tables.measured("bias", -0.0408, EN) == "−4.0%"
    assert tables.limit("bias", 0.05, EN) == "±5.1%"
    assert tables.measured("superiority", 0.1, ES) == "+10,0 %"
    assert tables.measured("intervals", 0.905, ES) == "90,5 %"
    assert tables.measured("error_ratio", 1.27, ES) == "1,27"


def test_lineage_leaves_out_what_is_not_known():
    known = {"version": "2", "batches": 0, "dag_id": "d", "run_id": "r", "in_production": False}
    line = lineage.Line(**{field.name: known.get(field.name) for field in dataclasses.fields(lineage.Line)})
    assert lineage.steps(line, EN) == [("version", "version 2"), ("alias", "never in production")]
    tagged = lineage.with_tags(line, {"ct.image": "none", "ct.git_sha": "92d30a2c222fabcdef"})
    assert lineage.steps(tagged, EN)[-1] == ("image", "92d30a2c222f")
    figure = charts_operations.lineage_chart([("version", "<b>x</b>"), ("alias", "y")], EN)
    assert any("&lt;b&gt;" in note.text for note in figure.layout.annotations), "what was recorded is no markup"


def test_prometheus_text_is_summed_over_labels():
    text = '# HELP a b\na_total{x="1"} 2\na_total{x="{}"} 3.5\nb 1e3\nbroken\n'
    assert gauges(text) == {"a_total": 5.5, "b": 1000.0}


def test_long_labels_are_broken_between_words():
    assert wrapped("one two three", 8) == "one two<br>three"
    assert wrapped("unbreakable", 3) == "unbreakable"


def test_what_a_rule_found_is_in_the_persons_language():
    assert found_words("DUPLICATE_LISTING", "the same listing as in batch 3, row 1200", ES) == (
        "igual que en el lote con id 3, fila 1.200"
    )
    assert found_words("DUPLICATE_LISTING", "the same listing as in this batch", EN) == "once more in this batch"
    assert found_words("DUPLICATE_LISTING", "of another release", EN) == "of another release"
    assert found_words("BED_IMPLAUSIBLE", "99", ES) == "99"


def test_expectations_in_words():
    line = {"expectation": "expect_column_values_to_be_between", "arguments": {"min_value": 1, "mostly": 0.95}}
    assert expectation(line, EN) == "A value of at least 1, in at least 95% of the rows"
    assert expectation({"expectation": "of_tomorrow", "arguments": {}}, ES) == "of_tomorrow"
