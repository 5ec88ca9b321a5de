"""A run decides once, on a real PostgreSQL: tries that follow each other, that overlap, and that end half-way."""

import pytest
from ct_contract import TaskInput
from ct_decisions.once import decide_once
from ct_store.connection import connect
from ct_store.ledger import record_decision

pytestmark = pytest.mark.integration

PAYLOAD = TaskInput(task="assess", dag_id="d", run_id="r", inputs={})


@pytest.fixture(autouse=True)
def database(pipeline_url, monkeypatch):
    monkeypatch.setenv("CT_DATABASE_URL", pipeline_url)


def record(connection, code):
    record_decision(connection, dag_id="d", run_id="r", kind="retrain", outcome="train", code=code)


def attempt(connection, code):
    return decide_once(connection, PAYLOAD, "retrain", lambda: record(connection, code))["code"]


def test_the_first_try_that_ends_has_decided_for_all():
    with connect("one") as one:
        assert attempt(one, "TRAIN_BIASED") == "TRAIN_BIASED"
    with connect("other") as other:
        assert decide_once(other, PAYLOAD, "retrain", lambda: pytest.fail("decided again"))["code"] == "TRAIN_BIASED"


def test_of_two_tries_at_once_the_first_that_records_has_decided_for_both():
    with connect("one") as one, connect("other") as other:

        def overtaken():
            assert attempt(other, "TRAIN_VOLUME") == "TRAIN_VOLUME"
            record(one, "TRAIN_BIASED")

        assert decide_once(one, PAYLOAD, "retrain", overtaken)["code"] == "TRAIN_VOLUME"


def test_a_try_that_ends_half_way_leaves_nothing():
    def broken(connection):
        record(connection, "TRAIN_BIASED")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connect("one") as one:
        decide_once(one, PAYLOAD, "retrain", lambda: broken(one))
    with connect("other") as other:
        assert attempt(other, "TRAIN_VOLUME") == "TRAIN_VOLUME"
