"""The watch's DAG through Airflow's own ``dag.test()``, its two steps as small real programs that keep the contract."""

import json

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

STEP = """
import os
from pathlib import Path

from ct_contract import NothingToDoError, TaskResult, run_task

NAME = Path(__file__).parent.name.removeprefix("ct_")
STORY = os.environ["CT_POLICY"]


def step(payload):
    with (Path(os.environ["CT_EXPERIMENT"]) / f"{STORY}-{NAME}").open("a") as file:
        file.write(payload.to_json() + "\\n")
    if NAME == "promote":
        return TaskResult(task=NAME, run_id=payload.run_id, code="ROLLED_BACK", summary={"model_version": "1"})
    if STORY == "over":
        raise NothingToDoError("WATCH_OVER", "Its hours are over.")
    code = "ROLLBACK_ERRORS" if STORY == "rollback" else "WATCH_SOUND"
    return TaskResult(task=NAME, run_id=payload.run_id, code=code, summary={"decision": STORY, "decision_id": "7e"})


raise SystemExit(run_task(NAME, step))
"""

STORIES = ("rollback", "keep", "over")

PROGRAM = f"""
import json, os, sys
from datetime import datetime, timezone
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from continuous_training.example_dags.continuous_training_watch import dag

told = {{}}
for number, story in enumerate({STORIES!r}):
    os.environ["AIRFLOW__CONTINUOUS_TRAINING__POLICY"] = story
    run = dag.test(logical_date=datetime(2026, 1, 1 + number, tzinfo=timezone.utc))
    with create_session() as session:
        events = session.query(AssetModel.name, AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        told[story] = {{
            "state": str(run.state),
            "tasks": {{ti.task_id: str(ti.state) for ti in run.get_task_instances()}},
            "events": dict(events.filter(AssetEvent.source_run_id == run.run_id).all()),
        }}
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@pytest.fixture(scope="module")
def airflow(airflow_home, python):
    home, env = airflow_home(STEP, names=("evaluate", "promote"))
    python("-m", "airflow", "db", "migrate", env=env)
    python("-c", PROGRAM, home / "told.json", env=env)
    inputs = {file.name: json.loads(file.read_text().splitlines()[0])["inputs"] for file in (home / "tries").iterdir()}
    return {"told": json.loads((home / "told.json").read_text()), "inputs": inputs}


@pytest.mark.parametrize(
    ("story", "tasks"),
    [
        ("rollback", {"watch": "success", "choose": "success", "rollback": "success", "stay": "skipped"}),
        ("keep", {"watch": "success", "choose": "success", "rollback": "skipped", "stay": "success"}),
        ("over", dict.fromkeys(("watch", "choose", "rollback", "stay"), "skipped")),
    ],
)
def test_each_story_ends_as_documented(airflow, story, tasks):
    assert airflow["told"][story]["state"] == "success"
    assert airflow["told"][story]["tasks"] == tasks


def test_the_images_are_told_what_to_do(airflow):
    assert airflow["inputs"] == {
        **{f"{story}-evaluate": {"action": "watch"} for story in STORIES},
        "rollback-promote": {"action": "rollback", "decision_id": "7e"},
    }


def test_other_dags_hear_of_a_rollback_only(airflow):
    assert list(airflow["told"]["rollback"]["events"]) == ["production_model"]
    assert airflow["told"]["rollback"]["events"]["production_model"]["code"] == "ROLLED_BACK"
    assert [airflow["told"][story]["events"] for story in ("keep", "over")] == [{}, {}]
