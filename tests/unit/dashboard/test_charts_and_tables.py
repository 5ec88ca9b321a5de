from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ct_dashboard import charts, tables
from ct_dashboard.api import Estimate
from ct_dashboard.data import Places, Reign, Run, change_gate, reigns
from ct_dashboard.settings import Settings
from ct_dashboard.text import Text
from ct_dashboard.views.estimate import warning_text

pytestmark = pytest.mark.unit

EN, ES = Text("en"), Text("es")
START = datetime(2026, 11, 23, tzinfo=UTC)
LINE = {
    "dag_id": "d", "run_id": "r", "batch_id": 1, "batch_number": 0, "row_count": 1500, "stored_at": START, "rows_new": 900,
    "validation_accepted": True, "rows_quarantined": 3, "intake_code": None, "retrain_outcome": None, "promotion_outcome": None,
    "champion_version": None, "challenger_version": None, "happened_at": START,
}  # fmt: skip


def event(version: str, hours: int) -> dict[str, object]:
    return {"model_version": version, "event": "promoted", "happened_at": START + timedelta(hours=hours), "decision_id": None}


def test_reigns_follow_each_other_without_gap():
    found = reigns([event("1", 0), event("2", 5), event("2", 6), event("1", 9)])
    assert [(reign.version, reign.since, reign.until) for reign in found] == [
        ("1", START, START + timedelta(hours=5)),
        ("2", START + timedelta(hours=5), START + timedelta(hours=9)),
        ("1", START + timedelta(hours=9), None),
    ]
    assert reigns([]) == []


def test_the_timeline_has_a_bar_for_each_reign_and_a_mark_for_each_batch():
    now = START + timedelta(hours=10)
    line = [Reign("1", START, START + timedelta(hours=4)), Reign("2", START + timedelta(hours=4), None)]
    figure = charts.timeline_chart(line, [Run(LINE)], EN, now)
    first, second, marks = figure.data
    assert (first.base[0], first.x[0]) == (START, 4 * 3_600_000)
    assert second.x[0] == 6 * 3_600_000
    assert first.marker.color != second.marker.color
    assert marks.text == ("0",)
    assert marks.hovertext == ("batch 0, 1,500 rows",)
    assert figure.layout.xaxis.title.text == "time (UTC)"
    assert len(charts.timeline_chart(line, [], EN, now).data) == 2
    many = [Run({**LINE, "batch_number": number}) for number in range(100, 0, -1)]
    numbered = [text for text in charts.timeline_chart(line, many, EN, now).data[2].text if text]
    assert len(numbered) == charts.MOST_NUMBERS
    assert numbered[0] == "100", "the newest has its number"


def test_the_interval_chart_shows_low_price_and_high():
    estimate = Estimate(300_000, 240_000, 375_000, 0.9, (), "m", "1", "r")
    figure = charts.interval_chart(estimate, ES)
    assert list(figure.data[0].x) == [240_000, 375_000]
    assert figure.data[1].text == ("US$ 240.000", "US$ 300.000", "US$ 375.000")
    low, high = figure.layout.xaxis.range
    assert 10**low < 240_000
    assert 10**high > 375_000


def test_a_range_of_no_width_is_still_drawn():
    estimate = Estimate(100.0, 100.0, 100.0, 0.9, (), "m", "1", "r")
    low, high = charts.interval_chart(estimate, EN).layout.xaxis.range
    assert low < 2 < high


def test_places_depend_on_each_other():
    places = Places({"B": {"y": ["2", "1"], "x": ["3"], "": ["4"]}, "A": {}})
    assert places.states() == ["A", "B"]
    assert places.cities("B") == ["x", "y"]
    assert places.cities(None) == places.cities("nowhere") == []
    assert places.zip_codes("B", "y") == ["1", "2"]
    assert places.zip_codes("B", None) == ["1", "2", "3", "4"]
    assert places.zip_codes(None, None) == []


@pytest.mark.parametrize(
    ("changes", "training", "promotion"),
    [
        ({}, "… under way", "–"),
        ({"validation_accepted": False}, "✗ batch refused", "–"),
        ({"validation_accepted": False, "retrain_outcome": "skip"}, "✗ batch refused", "–"),
        ({"retrain_outcome": "skip"}, "– not trained", "–"),
        ({"intake_code": "SKIP_END_OF_DATA"}, "– not trained", "–"),
        ({"retrain_outcome": "train"}, "✓ trained", "… under way"),
        ({"retrain_outcome": "train", "promotion_outcome": "promote"}, "✓ trained", "✓ promoted"),
        ({"retrain_outcome": "train", "promotion_outcome": "reject"}, "✓ trained", "✗ rejected"),
        ({"retrain_outcome": "train", "promotion_outcome": "hold"}, "✓ trained", "‖ on hold"),
    ],
)
def test_outcomes_in_words(changes, training, promotion):
    run = Run({**LINE, **changes})
    assert (tables.training_outcome(run, EN), tables.promotion_outcome(run, EN)) == (training, promotion)


def gate(**changes):
    return {"name": "superiority", "code": "REJECT_WORSE", "value": 0.1, "ci_low": 0.05, "ci_high": 0.2, "threshold": -0.01,
            "verdict": "fail", "note": {}, **changes}  # fmt: skip


def test_the_change_comes_from_the_gate_that_compares_with_the_champion():
    promotion = {"gates": [gate(name="baseline", value=-0.4), gate()]}
    assert tables.change(promotion, EN) == "+10.0% (+5.0% to +20.0%)"
    assert tables.change(promotion, ES) == "+10,0 % (de +5,0 % a +20,0 %)"
    assert tables.change({"gates": [gate(ci_low=None)]}, EN) == "+10.0%"
    assert change_gate({"gates": [gate(value=None)]}) is None
    assert tables.change(None, EN) == tables.change({"gates": []}, EN) == "–"


def test_a_code_without_a_sentence_is_shown_as_it_is():
    decision = {"code": "TRAIN_BY_MOONLIGHT", "kind": "retrain", "facts": {}, "signals": [], "gates": []}
    assert tables.sentence(decision, EN) == "TRAIN_BY_MOONLIGHT"
    assert tables.sentence(None, EN) == ""


def test_a_long_reason_ends_at_a_word():
    assert tables.shortened("all of it", 9) == "all of it"
    assert tables.shortened("it prices 48.4% too low (95% CI −49.2% to", 25) == "it prices 48.4% too low …"


def test_evidence_is_named_in_words_or_as_it_is():
    table = tables.evidence_table([gate(verdict="n/a", value=None), gate(name="new_one")], EN)
    assert list(table["Name"]) == ["MAE against the champion", "new_one"]
    assert list(table["Verdict"]) == ["– not applicable", "✗ failed"]
    assert list(table["Value"]) == ["–", "0.100"]
    assert "Feature" not in table
    signal = {
        "name": "psi",
        "feature": "bath",
        "value": 0.2,
        "ci_low": None,
        "ci_high": None,
        "threshold": None,
        "verdict": "ok",
    }
    assert list(tables.evidence_table([signal], EN)["Feature"]) == ["Bathrooms"]


def test_warnings_are_translated_and_unknown_kinds_keep_the_apis_words():
    known = {"field": "zip_code", "kind": "unseen", "message": "m"}
    assert warning_text(known, ES).startswith("El modelo no ha visto ningún anuncio con este dato: Código postal")
    assert warning_text({"field": "x", "kind": "brand_new", "message": "m"}, ES) == "m"


def test_links_quote_what_they_hold_and_are_absent_without_an_address():
    settings = Settings.from_environment({"CT_PUBLIC_AIRFLOW_URL": "http://a/", "MLFLOW_PUBLIC_URL": "http://m"})
    run = "manual__2026-11-23T00:00:00+00:00"
    assert settings.airflow_run("d", run) == "http://a/dags/d/runs/manual__2026-11-23T00%3A00%3A00%2B00%3A00"
    assert settings.mlflow_version("3") == "http://m/#/models/house-prices/versions/3"
    assert Settings().airflow_run("d", run) is None
    assert Settings().mlflow_version("3") is None
