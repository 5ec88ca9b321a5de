"""The watch's DAG and operators, and the rollback on the command line."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import continuous_training.example_dags as examples
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from continuous_training.assets import PRODUCTION_MODEL
from continuous_training.cli.parser import parse
from continuous_training.operators.rollback import RollbackOperator
from continuous_training.operators.watch import WatchOperator
from continuous_training.provider_info import get_provider_info
from continuous_training.watch_dag import continuous_training_watch_dag
from ct_contract import TaskResult

pytestmark = pytest.mark.unit

ROLLBACK = ["rollback", "--author", "Ana", "--reason", "complaints"]

DECIDED = {
    "task": "evaluate", "run_id": "r", "code": "ROLLBACK_ERRORS",
    "summary": {"decision": "rollback", "decision_id": "an id", "champion_version": "2", "target_version": "1"},
}  # fmt: skip


def test_the_edges_and_what_other_dags_can_follow():
    dag = continuous_training_watch_dag()
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "watch": {"choose", "rollback"}, "choose": {"rollback", "stay"}, "rollback": set(), "stay": set(),
    }  # fmt: skip
    assert {task.task_id: list(task.outlets) for task in dag.tasks if task.outlets} == {"rollback": [PRODUCTION_MODEL]}
    assert (dag.max_active_runs, dag.catchup, dag.schedule) == (1, False, timedelta(minutes=15))


@pytest.mark.parametrize(("decision", "way"), [("rollback", "rollback"), ("keep", "stay")])
def test_the_branch_follows_the_decision(decision, way):
    choose = continuous_training_watch_dag().get_task("choose").python_callable
    assert choose({**DECIDED, "summary": {"decision": decision}}) == way


def test_the_example_is_paused_and_ones_own_is_not():
    bag = DagBag(str(Path(examples.__file__).parent))
    assert bag.import_errors == {}
    assert bag.dags["continuous_training_watch"].is_paused_upon_creation is True
    assert continuous_training_watch_dag("mine", default_args={"namespace": "ml"}).is_paused_upon_creation is False


def test_the_operators_run_images_of_the_pipelines_steps():
    with DAG("d", start_date=datetime(2026, 1, 1)) as dag:
        watch = WatchOperator(task_id="watch")
        rollback = RollbackOperator(task_id="rollback", decision_id=DECIDED, to="{{ params.to }}")
    assert (watch.cmds, watch.inputs) == (["python", "-m", "ct_evaluate"], {"action": "watch"})
    assert rollback.cmds == ["python", "-m", "ct_promote"]
    read = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert read.get_task("watch").inputs == {"action": "watch"}
    modules = get_provider_info()["operators"][0]["python-modules"]
    assert {"continuous_training.operators.watch", "continuous_training.operators.rollback"} <= set(modules)


def test_a_decision_is_taken_from_the_watchs_result_and_what_is_not_given_is_left_out():
    from continuous_training.inputs import read_inputs

    task = RollbackOperator(task_id="rollback", decision_id=DECIDED)
    assert read_inputs(task.declared, task.inputs) == {"action": "rollback", "decision_id": "an id"}
    task = RollbackOperator(task_id="by_hand", author="Ana", reason="complaints", to=1)
    given = {"action": "rollback", "author": "Ana", "reason": "complaints", "to": "1"}
    assert read_inputs(task.declared, task.inputs) == given


@pytest.mark.parametrize("missing", ["--author", "--reason"])
def test_a_rollback_by_hand_needs_author_and_reason(missing, capsys):
    given = list(ROLLBACK)
    place = given.index(missing)
    del given[place : place + 2]
    with pytest.raises(SystemExit):
        parse(given)
    assert missing in capsys.readouterr().err


def test_a_rollback_by_hand_runs_the_promote_image(tmp_path):
    """The program in the image's environment is a small one that shows what it was asked."""
    python = tmp_path / "promote" / "bin" / "python"
    python.parent.mkdir(parents=True)
    result = TaskResult(task="promote", run_id="r", code="ROLLED_BACK").to_json()
    python.write_text(f'#!/bin/sh\necho "asked $@ with $CT_INPUT"\necho \'{result}\' > "$CT_RESULT_PATH"\n')
    python.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", "from continuous_training.cli import main; raise SystemExit(main())", *ROLLBACK, "--to", "3",
         "--environments", str(tmp_path)],
        env={**os.environ, "CT_DATABASE_URL": "postgresql://x"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["code"] == "ROLLED_BACK"
    assert "asked -m ct_promote" in done.stderr
    asked = json.loads(done.stderr.split(" with ", 1)[1].splitlines()[0])
    assert asked["inputs"] == {"action": "rollback", "author": "Ana", "reason": "complaints", "to": "3"}
    assert (asked["task"], asked["dag_id"]) == ("promote", "by_hand")
    assert asked["run_id"].startswith("rollback__2")
