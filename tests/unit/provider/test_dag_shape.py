"""The example DAG parses fast, without a database or a network, and has the documented shape."""

import time
from datetime import timedelta
from pathlib import Path

import continuous_training.example_dags as examples
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import TriggerRule
from continuous_training.assets import CLEAN, PRODUCTION_MODEL, RAW
from continuous_training.dag import continuous_training_dag

pytestmark = pytest.mark.unit

EDGES = {
    "collect": {"validate"},
    "validate": {"clean"},
    "clean": {"assess"},
    "assess": {"choose_retrain", "train"},
    "choose_retrain": {"train", "skip_training"},
    "train": {"evaluate"},
    "evaluate": {"choose_promotion", "approve", "promote", "reject"},
    "choose_promotion": {"approve", "promote", "reject"},
    "approve": {"promote", "reject"},
    "promote": {"finish"},
    "reject": {"finish"},
    "skip_training": {"finish"},
    "finish": set(),
}


def test_the_example_is_found_and_parses():
    folder = Path(examples.__file__).parent
    continuous_training_dag("warm")
    began = time.perf_counter()
    bag = DagBag(str(folder))
    assert time.perf_counter() - began < 5
    assert bag.import_errors == {}
    assert set(bag.dags) == {"continuous_training", "continuous_training_watch"}


def test_the_edges():
    dag = continuous_training_dag()
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == EDGES


def test_one_batch_at_a_time_and_no_catching_up():
    dag = continuous_training_dag()
    assert (dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation) == (1, False, False)
    assert dag.dagrun_timeout == timedelta(hours=28)


def test_a_run_outlasts_the_wait_for_a_person_and_a_task_that_hangs_ends_before():
    dag = continuous_training_dag(approval_timeout=timedelta(minutes=5), dagrun_timeout=timedelta(minutes=6))
    assert dag.get_task("approve").response_timeout == timedelta(minutes=5)
    assert continuous_training_dag().get_task("collect").execution_timeout == timedelta(hours=4)
    assert continuous_training_dag().get_task("train").execution_timeout == timedelta(hours=2)
    with pytest.raises(ValueError, match=r"approval_timeout is 0:06:00, expected less than dagrun_timeout"):
        continuous_training_dag(approval_timeout=timedelta(minutes=6), dagrun_timeout=timedelta(minutes=6))


def test_nobody_is_asked_what_the_run_was_asked():
    """The form has the comment alone, not the parameters of a manual run."""
    approve = continuous_training_dag().get_task("approve")
    assert list(approve.params) == ["comment"]
    assert (approve.options, approve.defaults) == (["Approve", "Reject"], ["Reject"])


def test_every_task_is_retried_with_growing_pauses():
    for task in continuous_training_dag(retries=4).tasks:
        assert task.retries == 4
        assert task.retry_exponential_backoff == 2.0
        assert task.retry_policy.rules[0].retry_delay == timedelta(minutes=5)


def test_the_end_is_green_only_if_something_ended():
    assert continuous_training_dag().get_task("finish").trigger_rule == TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


def test_what_other_dags_can_follow():
    dag = continuous_training_dag()
    outlets = {task.task_id: list(task.outlets) for task in dag.tasks if task.outlets}
    assert outlets == {"collect": [RAW], "clean": [CLEAN], "promote": [PRODUCTION_MODEL]}


def test_two_streams_are_two_dags():
    one = continuous_training_dag("group_1", group_number=1, day="Tuesday", env_vars={"CT_POLICY": "eager"})
    two = continuous_training_dag("group_2", group_number=2, schedule="@hourly", default_args={"namespace": "ml", "retries": 0})
    assert one.get_task("collect").inputs["group_number"] == 1
    assert one.get_task("train").env_vars == {"CT_POLICY": "eager"}
    assert two.get_task("collect").inputs["group_number"] == 2
    assert (two.get_task("clean").namespace, two.get_task("clean").retries) == ("ml", 0)
