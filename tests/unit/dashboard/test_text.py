from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import ct_dashboard
import pytest
from ct_dashboard.text import LANGUAGES, Text, catalogue

pytestmark = pytest.mark.unit

EN, ES = Text("en"), Text("es")


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_the_catalogues_have_the_same_keys_and_placeholders():
    first, *others = [catalogue(language) for language in LANGUAGES]
    for other in others:
        assert set(other) == set(first)
        assert {key: _placeholders(text) for key, text in other.items()} == {
            key: _placeholders(text) for key, text in first.items()
        }


def test_every_text_is_used_and_every_use_has_a_text():
    source = "\n".join(path.read_text() for path in Path(ct_dashboard.__file__).parent.rglob("*.py"))
    used = set(re.findall(r'text(?:\(\))?\(\s*["\']([a-z]+\.[a-z_]+)["\']', source))
    assert used <= set(catalogue("en"))
    composed = ("verdict.", "warning.", "age.", "app.", "field.", "lineage.", "estimate.status_", "estimate.kind_",
                "history.yes_", "history.story_", "history.not_", "history.held",
                "comparison.overall_", "comparison.slice_", "comparison.champion", "comparison.challenger",
                "comparison.prices_", "comparison.better", "comparison.worse", "comparison.open", "data.measure_", "data.help_",
                "data.title_", "data.level_", "data.unseen_", "quality.severity_", "quality.expect_", "quality.accumulated_",
                "quality.volume_", "quality.homes_", "quality.change_", "quality.rule_", "operations.now_", "operations.help_",
                "operations.hours_", "operations.sum_", "operations.from_", "operations.answered", "operations.refused",
                "operations.failed", "operations.median", "operations.p95", "batch.priced", "batch.faulty", "batch.warned",
                "batch.col_", "batch.error_", "estimate.house_size", "estimate.acre_lot", "quality.refused", "quality.fails",
                "history.champion", "history.batches", "history.trained", "history.promoted", "history.mlflow_",
                "history.intake", "history.approval", "history.training", "history.promotion", "history.signals",
                "history.gates", "history.no_signals", "history.no_gates", "history.detail_title", "estimate.brokered_by",
                "metric.", "role.", "slice.", "problem.", "column.", "axis.", "explain.status_")  # fmt: skip
    assert not [key for key in catalogue("en") if key not in used and not key.startswith(composed)]


def test_numbers_follow_the_language():
    assert (EN.number(1234567.5, 1), ES.number(1234567.5, 1)) == ("1,234,567.5", "1.234.567,5")
    assert (EN.money(325_049), ES.money(325_049)) == ("$325,000", "US$ 325.000")
    assert EN.money(9_999.4) == "$9,999"
    assert EN.money(None) == EN.number(None) == EN.percent(None) == EN.significant(None) == EN.time(None) == "–"
    assert (EN.percent(-0.042), EN.percent(0.5), EN.percent(0.0001)) == ("−4.2%", "+50.0%", "0.0%")
    assert [EN.significant(value) for value in (12345.6, 123.45, 1.2345, 7.0, -0.0042)] == [
        "12,346", "123.5", "1.234", "7", "−0.004",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (-5, "just now", "ahora mismo"),
        (59, "just now", "ahora mismo"),
        (60, "1 minute ago", "hace 1 minuto"),
        (7199, "1 hour ago", "hace 1 hora"),
        (86400 * 3, "3 days ago", "hace 3 días"),
    ],
)
def test_age(seconds, english, spanish):
    now = datetime(2026, 1, 5, tzinfo=UTC)
    since = now - timedelta(seconds=seconds)
    assert (EN.age(since, now), ES.age(since, now)) == (english, spanish)


def test_times_are_shown_in_utc():
    assert EN.time(datetime.fromisoformat("2026-01-05T01:30:00+05:00")) == "2026-01-04 20:30"
