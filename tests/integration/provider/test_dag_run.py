"""The real DAG through Airflow's own ``dag.test()``, the seven steps as small real programs that keep the contract.

One process of its own holds Airflow: its configuration and database must not be those of another test.
"""

import json

import pytest
from continuous_training.provider_info import STEPS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

STEP = """
import logging
import os
from pathlib import Path

from ct_contract import BadDataError, NothingToDoError, TaskResult, TryLaterError, run_task

NAME = Path(__file__).parent.name.removeprefix("ct_")
STORY = os.environ["CT_POLICY"]
DONE = {
    "collect": ("COLLECTED", {"batch_id": 41, "rows": 5}),
    "validate": ("BATCH_ACCEPTED", {"batch_id": 41}),
    "clean": ("CLEANED", {"batch_id": 41, "rows_new": 4}),
    "assess": ("SKIP_INSUFFICIENT_EVIDENCE", {"batch_id": 41, "decision": "skip", "decision_id": "5e"}) if STORY == "skip"
    else ("TRAIN_VOLUME", {"batch_id": 41, "decision": "train", "decision_id": "5e"}),
    "train": ("TRAINED", {"batch_id": 41, "model_version": "7"}),
    "evaluate": ("REJECT_WORSE", {"batch_id": 41, "decision": "reject", "decision_id": "6e", "challenger_version": "7"})
    if STORY == "reject"
    else ("PROMOTE_BETTER", {"batch_id": 41, "decision": "promote", "decision_id": "6e", "challenger_version": "7"}),
}


def step(payload):
    logging.getLogger().info("url %s", os.environ["CT_DATABASE_URL"])
    tries = Path(os.environ["CT_EXPERIMENT"]) / f"{STORY}-{NAME}"
    with tries.open("a") as file:
        file.write(payload.to_json() + "\\n")
    if NAME == "collect" and STORY == "end of data":
        raise NothingToDoError("SKIP_END_OF_DATA", "The source has no more.")
    if NAME == "collect" and STORY == "away once" and payload.try_number == 1:
        raise TryLaterError("SOURCE_UNAVAILABLE", "The source is away.")
    if NAME == "validate" and STORY == "invalid batch":
        raise BadDataError("SKIP_INVALID_BATCH", "All prices are missing.", {"batch_id": 41})
    if NAME == "promote":
        action = payload.inputs["action"]
        code = {"promote": "PROMOTED", "reject": "REJECTED"}[action]
        summary = {"model_version": payload.inputs["model_version"]}
    else:
        code, summary = DONE[NAME]
    return TaskResult(task=NAME, run_id=payload.run_id, code=code, reason=f"So says {NAME}.", summary=summary)


raise SystemExit(run_task(NAME, step))
"""

STORIES = ("promote", "reject", "skip", "end of data", "invalid batch", "away once")

PROGRAM = f"""
import json, os, sys
from datetime import datetime, timedelta, timezone
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from continuous_training.example_dags.continuous_training import dag

told = {{}}
for task in dag.tasks:
    task.retry_delay = timedelta(0)
for number, story in enumerate({STORIES!r}):
    os.environ["AIRFLOW__CONTINUOUS_TRAINING__POLICY"] = story
    # Given in full each time, because dag.test() keeps the values of the run before.
    conf = {{"force_training": False, "author": "", "reason": ""}}
    if story == "promote":
        conf = {{"force_training": True, "author": "A person", "reason": "A try"}}
    run = dag.test(logical_date=datetime(2026, 1, 1 + number, tzinfo=timezone.utc), run_conf=conf)
    with create_session() as session:
        events = session.query(AssetModel.name, AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        events = events.filter(AssetEvent.source_run_id == run.run_id).all()
        xcoms = session.query(XComModel.task_id, XComModel.key, XComModel.value).filter_by(run_id=run.run_id).all()
        told[story] = {{
            "state": str(run.state),
            "tasks": {{ti.task_id: str(ti.state) for ti in run.get_task_instances()}},
            "events": {{name: extra for name, extra in events}},
            "xcoms": {{f"{{task}}.{{key}}": value for task, key, value in xcoms}},
        }}
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@pytest.fixture(scope="module")
def airflow(airflow_home, python):
    home, env = airflow_home(STEP)
    python("-m", "airflow", "db", "migrate", env=env)
    log = python("-c", PROGRAM, home / "told.json", env=env)
    return {
        "told": json.loads((home / "told.json").read_text()),
        "log": log,
        "inputs": {
            file.name: [json.loads(line) for line in file.read_text().splitlines()] for file in (home / "tries").iterdir()
        },
    }


def states(done, skipped=(), failed=(), upstream_failed=()):
    return (
        dict.fromkeys(done, "success")
        | dict.fromkeys(skipped, "skipped")
        | dict.fromkeys(failed, "failed")
        | dict.fromkeys(upstream_failed, "upstream_failed")
    )


TRAINED = ["collect", "validate", "clean", "assess", "choose_retrain", "train", "evaluate", "choose_promotion", "finish"]
LATER = ["train", "evaluate", "choose_promotion", "approve", "promote", "reject"]


@pytest.mark.parametrize(
    ("story", "state", "tasks"),
    [
        ("promote", "success", states([*TRAINED, "promote"], ["approve", "reject", "skip_training"])),
        ("away once", "success", states([*TRAINED, "promote"], ["approve", "reject", "skip_training"])),
        ("reject", "success", states([*TRAINED, "reject"], ["approve", "promote", "skip_training"])),
        (
            "skip",
            "success",
            states(["collect", "validate", "clean", "assess", "choose_retrain", "skip_training", "finish"], LATER),
        ),
        (
            "end of data",
            "success",
            states([], ["collect", "validate", "clean", "assess", "choose_retrain", "skip_training", "finish", *LATER]),
        ),
        (
            "invalid batch",
            "failed",
            states(["collect"], [], ["validate"], ["clean", "assess", "choose_retrain", "skip_training", "finish", *LATER]),
        ),
    ],
)
def test_each_story_ends_as_documented(airflow, story, state, tasks):
    assert airflow["told"][story]["state"] == state
    assert airflow["told"][story]["tasks"] == tasks


def test_bad_data_are_not_tried_twice_and_what_was_away_is(airflow):
    assert len(airflow["inputs"]["invalid batch-validate"]) == 1
    assert [given["try_number"] for given in airflow["inputs"]["away once-collect"]] == [1, 2]


def test_every_step_gets_what_the_step_before_gave(airflow):
    given = {step: airflow["inputs"][f"reject-{step}"][0]["inputs"] for step in STEPS}
    assert given == {
        "collect": {"source_url": "http://source.example.org", "group_number": 1, "on_gap": "recover"},
        "validate": {"batch_id": 41},
        "clean": {"batch_id": 41},
        "assess": {"batch_id": 41, "force": False},
        "train": {"batch_id": 41, "retrain_decision_id": "5e"},
        "evaluate": {"batch_id": 41, "model_version": "7"},
        "promote": {"batch_id": 41, "action": "reject", "decision_id": "6e", "model_version": "7"},
    }


def test_a_person_can_ask_for_a_training(airflow):
    asked = airflow["inputs"]["promote-assess"][0]["inputs"]
    assert asked == {"batch_id": 41, "force": True, "author": "A person", "reason": "A try"}


def test_asset_events_hold_the_verdict(airflow):
    events = airflow["told"]["promote"]["events"]
    assert set(events) == {"raw_batch", "clean_listings", "production_model"}
    wanted = {"task": "promote", "code": "PROMOTED", "reason": "So says promote.", "model_version": "7"}
    assert wanted.items() <= events["production_model"].items()
    assert set(airflow["told"]["reject"]["events"]) == {"raw_batch", "clean_listings"}
    assert airflow["told"]["end of data"]["events"] == {}


def test_xcom_holds_no_rows(airflow):
    for told in airflow["told"].values():
        for name, value in told["xcoms"].items():
            assert len(str(value)) < (6_000 if name.endswith(".debug") else 2_000), name


def test_every_task_that_started_keeps_its_call_and_the_commands_that_run_it_again(airflow):
    for story in STORIES:
        told = airflow["told"][story]
        started = {step for step in (*STEPS, "reject") if told["tasks"].get(step) in {"success", "failed"}}
        started |= {"collect"}
        kept = {name.split(".")[0] for name in told["xcoms"] if name.endswith(".call")}
        assert kept == started
        assert {name.split(".")[0] for name in told["xcoms"] if name.endswith(".debug")} == started
    assert "geheim-im-log" not in json.dumps(airflow["told"])


def test_the_debug_link_leads_to_the_tasks_xcoms(airflow):
    address = airflow["told"]["invalid batch"]["xcoms"]["validate._link_DebugLink"]
    assert address.startswith("/dags/continuous_training/runs/manual__")
    assert address.endswith("/tasks/validate/xcom")


def test_the_log_tells_the_sentences_and_no_secret(airflow):
    assert "SKIP_INVALID_BATCH: All prices are missing." in airflow["log"]
    assert "PROMOTE_BETTER: So says evaluate." in airflow["log"]
    assert "geheim-im-log" not in airflow["log"]
