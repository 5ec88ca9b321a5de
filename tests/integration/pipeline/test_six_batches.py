"""The whole stream through Airflow's ``dag.test()`` with the process runner, on real services."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import continuous_training.example_dags as examples
import pytest
from ct_decisions.reasons import render
from ct_store.connection import connect
from ct_store.ledger import with_evidence

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]

HERE = Path(__file__).parent


def _load(name):
    spec = importlib.util.spec_from_file_location(f"pipeline_{name}", HERE / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


final_state = _load("final_state")
services = _load("conftest")

SIZES = [round(n * 0.02) for n in (73_784, 94_551, 230_366, 4_055, 320_696, 361_457)]


@pytest.fixture(scope="module")
def streamed(new_world, tmp_path_factory):
    """The world after all batches, and what Airflow says of each run."""
    world, home = new_world(), tmp_path_factory.mktemp("airflow")
    options = {
        "CORE__DAGS_FOLDER": Path(examples.__file__).parent,
        "CORE__LOAD_EXAMPLES": False,
        "CORE__UNIT_TEST_MODE": True,
        "CORE__DAGBAG_IMPORT_TIMEOUT": 300,
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "CONTINUOUS_TRAINING__RUNNER": "process",
        "CONTINUOUS_TRAINING__ENVIRONMENTS": services.ENVIRONMENTS,
        "CONTINUOUS_TRAINING__SOURCE_URL": world.source_url,
        "CONTINUOUS_TRAINING__GROUP_NUMBER": 1,
        "CONTINUOUS_TRAINING__DAY": "Tuesday",
        "CONTINUOUS_TRAINING__MLFLOW_TRACKING_URI": world.tracking_uri,
        "CONTINUOUS_TRAINING__MODEL_NAME": world.model_name,
        "CONTINUOUS_TRAINING__EXPERIMENT": world.model_name,
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
    environ |= {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
    environ |= {"AIRFLOW_HOME": str(home), "CT_DATABASE_URL": world.database_url}
    binaries = services.ENVIRONMENTS / "airflow" / "bin"
    environ["PATH"] = f"{binaries}:{environ['PATH']}"
    migrated = subprocess.run(
        [str(binaries / "airflow"), "db", "migrate"], env=environ, capture_output=True, text=True, check=False
    )
    assert migrated.returncode == 0, migrated.stderr[-3000:]
    told = home / "told.json"
    done = subprocess.run(
        [str(binaries / "python"), str(HERE / "dag_runs.py"), str(told)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.exists(), done.stdout[-3000:] + done.stderr[-6000:]
    return world, json.loads(told.read_text())


def history(world):
    with connect("test", world.database_url) as connection:
        return connection.execute("SELECT * FROM audit.history ORDER BY happened_at").fetchall()


def test_every_batch_takes_one_run_and_the_end_of_data_is_a_skip(streamed):
    _, runs = streamed
    assert [run["state"] for run in runs] == ["success"] * 7
    assert [run["tasks"]["collect"] for run in runs] == ["success"] * 6 + ["skipped"]
    assert set(runs[-1]["tasks"].values()) == {"skipped"}


def test_raw_holds_every_batch_once(streamed):
    world, _ = streamed
    state = final_state.read_database(world.database_url)
    assert [batch["batch_number"] for batch in state["batches"]] == list(range(6))
    assert [batch["row_count"] for batch in state["batches"]] == SIZES
    assert [(rows["rows"], rows["numbers"]) for rows in state["raw rows"]] == [(size, size) for size in SIZES]
    for cleaned in state["clean"]:
        assert cleaned["rows_in"] == cleaned["rows_accepted"] + cleaned["rows_quarantined"]


def test_every_run_has_a_decision_that_reads_in_both_languages(streamed):
    world, runs = streamed
    lines = history(world)
    assert [line["batch_number"] for line in lines] == [0, 1, 2, 3, 4, 5, None]
    assert lines[-1]["intake_code"] == "SKIP_END_OF_DATA"
    assert lines[0]["retrain_code"] == "TRAIN_BOOTSTRAP"
    with connect("test", world.database_url) as connection:
        for decision in connection.execute("SELECT * FROM audit.decisions").fetchall():
            whole = with_evidence(connection, decision)
            assert render(whole, "en") != render(whole, "es")
    for line, run in zip(lines[:6], runs, strict=False):
        assert line["retrain_outcome"] in ("train", "skip")
        assert (run["tasks"]["train"] == "success") == (line["retrain_outcome"] == "train")
        assert (run["tasks"]["promote"] == "success") == (line["promotion_outcome"] == "promote")
        assert (run["tasks"]["reject"] == "success") == (line["promotion_outcome"] == "reject")


def test_the_price_bands_are_learnt_when_they_arrive(streamed):
    """Batches 4 and 5 hold prices that nothing before them had: the champion must change, or it prices them by half."""
    world, _ = streamed
    by_number = {line["batch_number"]: line for line in history(world)}
    for number in (4, 5):
        assert by_number[number]["retrain_outcome"] == "train"
        assert by_number[number]["promotion_outcome"] == "promote"


def test_the_alias_is_the_last_promotion_of_the_ledger(streamed):
    world, _ = streamed
    promoted = [line["challenger_version"] for line in history(world) if line["promotion_outcome"] == "promote"]
    registry = final_state.read_registry(
        services.ENVIRONMENTS / "promote" / "bin" / "python", world.tracking_uri, world.model_name
    )
    assert registry["aliases"]["production"] == promoted[-1]
    assert registry["aliases"]["previous"] == promoted[-2]
    assert registry["versions"][promoted[-1]]["stage"] == "production"
    for version, tags in registry["versions"].items():
        assert (tags["ct.decision"] == "promote") == (version in promoted)


def test_no_rows_travel_through_xcom(streamed):
    _, runs = streamed
    assert all(run["xcom"] < 16_000 for run in runs)
