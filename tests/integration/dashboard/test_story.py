"""What the history tells in its first lines: why the champion is there, and what was rejected; and which runs it shows."""

from __future__ import annotations

import pytest
import streamlit as st
from ct_dashboard import data
from ct_store import ledger
from ct_store.connection import connect
from opening import open_page, words
from written import superiority

pytestmark = pytest.mark.integration

MODEL = "house-prices"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    st.cache_data.clear()


def hold(pipeline, answer: str, code: str) -> None:
    """A challenger that waited for a person, and what the person said."""
    run, batch = pipeline.batch()
    gates = [superiority(-0.6, -0.7, -0.5, "pass"), {"name": "approval", "code": "HOLD_APPROVAL", "value": 1.0, "threshold": 0,
                                                     "verdict": "hold"}]  # fmt: skip
    versions = {"champion_version": "2", "challenger_version": "4"}
    pipeline.decide(run, batch, "retrain", "train", "TRAIN_NEW_CATEGORIES", champion_version="2",
                    facts={"batch_number": 3, "fired": ["unseen_state"]})  # fmt: skip
    pipeline.decide(run, batch, "promotion", "hold", "HOLD_APPROVAL", gates=gates, **versions)
    pipeline.decide(run, batch, "approval", answer, code, facts={"author": "Ana", "reason": "the market rose"}, gates=gates,
                    **versions)  # fmt: skip


def test_a_persons_approval_is_why_the_model_is_there(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    hold(pipeline, "promote", "PROMOTE_BY_HUMAN")
    pipeline.event("run-3", "4", "promoted")
    told = open_page(monkeypatch, "history", dashboard_url).success[0].value
    assert "Version 4 was promoted, because Ana approved it: the market rose." in told
    comparison = open_page(monkeypatch, "comparison", dashboard_url)
    assert "because Ana approved it" in comparison.success[0].value


def test_a_persons_refusal_is_why_the_challenger_was_rejected(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    hold(pipeline, "reject", "REJECT_BY_HUMAN")
    told = open_page(monkeypatch, "history", dashboard_url, lang="es").warning[0].value
    assert "Ana" in told
    assert "the market rose" in told
    comparison = open_page(monkeypatch, "comparison", dashboard_url)
    assert "because Ana refused it" in comparison.error[0].value


def test_after_a_rollback_the_story_is_the_rollbacks(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    pipeline.decide("watch", None, "rollback", "rollback", "ROLLBACK_MANUAL", champion_version="2", challenger_version="1",
                    facts={"author": "Ana", "reason": "prices are odd"})  # fmt: skip
    pipeline.event("watch", "1", "rolled_back")
    told = open_page(monkeypatch, "history", dashboard_url).success[0].value
    assert "at the request of Ana: prices are odd" in told


def test_a_model_that_was_put_there_by_hand_has_no_decision_behind_it(monkeypatch, pipeline, dashboard_url):
    pipeline.all()
    pipeline.event("noticed", "3", "alias_moved_by_hand")
    app = open_page(monkeypatch, "history", dashboard_url)
    assert "In production: version 3" in words(app)
    assert "Version 3 was put there by hand" in app.success[0].value


def test_another_models_events_are_not_this_models_history(pipeline, dashboard_url):
    pipeline.all()
    with connect("test", pipeline.url) as connection:
        ledger.record_event(
            connection, dag_id="flats", run_id="r", model_name="flat-prices", model_version="9", event="promoted"
        )
    assert data.read_history(dashboard_url, MODEL).champion == "2"
    assert data.read_history(dashboard_url, "flat-prices").champion == "9"


def test_an_old_run_is_found_by_its_address_and_counted(monkeypatch, pipeline, dashboard_url):
    monkeypatch.setattr(data, "MOST_RUNS", 2)
    pipeline.all()
    app = open_page(monkeypatch, "history", dashboard_url)
    assert len(app.dataframe[0].value) == 2
    assert "The newest 2 runs are shown" in words(app)
    assert "Promoted: 2 of 3" in words(app)
    assert "Version 2 was promoted" in app.success[0].value, "its run is older than those that are shown"
    app = open_page(monkeypatch, "history", dashboard_url, run="run-0")
    assert list(app.dataframe[0].value["Batch"]) == ["no batch", "2", "0"]
    assert "Policy strict" in words(app)


def test_when_nothing_was_rejected_the_page_says_so(monkeypatch, pipeline, dashboard_url):
    pipeline.first()
    app = open_page(monkeypatch, "history", dashboard_url)
    assert "No challenger has been rejected so far." in words(app)
    assert not app.warning
