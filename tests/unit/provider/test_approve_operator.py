"""The question and the answer, without a running Airflow: what is shown, what is returned, which way is followed."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskAwaitingInput
from continuous_training.dag import continuous_training_dag
from continuous_training.exceptions import TaskContractError

pytestmark = pytest.mark.unit

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ANA = {"id": "7", "name": "ana"}


def context(operator):
    return {"ti": mock.MagicMock(task=operator, dag_id="d", run_id="r", map_index=-1), "task_instance": mock.MagicMock()}


@pytest.fixture
def operator():
    return continuous_training_dag(approval_timeout=timedelta(hours=2)).get_task("approve")


def event(option, person=ANA, *, timedout=False, comment="why not"):
    return {
        "chosen_options": [option], "params_input": {"comment": comment}, "responded_at": NOON, "responded_by_user": person,
        "timedout": timedout,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "answer", "author", "left_out"),
    [
        (event("Approve"), "approve", "ana", "reject"),
        (event("Reject"), "reject", "ana", "promote"),
        (event("Reject", {"id": "7", "name": ""}), "reject", "7", "promote"),
        (event("Reject", None, timedout=True), "expired", "", "promote"),
    ],
)
def test_the_answer_is_kept_before_airflow_ends_the_task_to_skip_the_other_way(operator, given, answer, author, left_out):
    at = context(operator)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        operator.execute_complete(at, given)
    assert [task for task, _ in skipped.value.tasks] == [left_out]
    kept = next(call.kwargs for call in at["ti"].xcom_push.call_args_list if call.kwargs["key"] == "return_value")["value"]
    assert kept == {
        "answer": answer, "author": author, "answered_at": "2026-01-02T12:00:00+00:00", "comment": "why not",
        "timeout_seconds": 7200.0,
    }  # fmt: skip


def test_the_question_is_the_one_that_evaluate_wrote(operator):
    operator.verdict = {"task": "evaluate", "summary": {"question": {"subject": "Promote?", "body": "| gate |"}}}
    with mock.patch("airflow.providers.standard.operators.hitl.upsert_hitl_detail") as asked, pytest.raises(TaskAwaitingInput):
        operator.execute(context(operator))
    assert (asked.call_args.kwargs["subject"], asked.call_args.kwargs["body"]) == ("Promote?", "| gate |")


@pytest.mark.parametrize("verdict", [None, "text", {"summary": {}}, {"summary": {"question": "?"}}])
def test_without_a_question_nobody_is_asked(operator, verdict):
    operator.verdict = verdict
    with pytest.raises(TaskContractError, match="Production stays as it is"):
        operator.execute(context(operator))
