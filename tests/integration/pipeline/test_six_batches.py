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


def ask(world, *words):
    """A question to the record by the command line, answered in the image's environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
    program = "from continuous_training.cli import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *words, "--environments", str(services.ENVIRONMENTS)],
        env=kept | world.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_recorded_history_under_its_own_policy_shows_no_difference(streamed):
    world, _ = streamed
    done = ask(world, "policy", "compare", "strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 different, 0 that the evidence cannot tell." in done.stdout
    assert ask(world, "policy", "compare", "course-2026", "--json").returncode in (0, 1)


def test_a_version_leads_to_all_that_it_comes_from(streamed):
    world, _ = streamed
    lines = [line for line in history(world) if line["promotion_outcome"] == "promote"]
    number = lines[-1]["challenger_version"]
    done = ask(world, "lineage", "version", number, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with connect("test", world.database_url) as connection:
        raw = connection.execute("SELECT batch_number, body_sha256 FROM raw.batches ORDER BY 1").fetchall()
        gates = connection.execute(
            "SELECT name FROM audit.gates WHERE decision_id = %s ORDER BY position", (found["promotion_decision_id"],)
        ).fetchall()
    assert [(b["batch_number"], b["body_sha256"]) for b in found["batches"]] == [tuple(r.values()) for r in raw]
    assert [b["is_trigger"] for b in found["batches"]] == [False] * 5 + [True]
    assert [gate["gate"] for gate in found["gates"]] == [gate["name"] for gate in gates]
    assert [event["event"] for event in found["events"]] == ["registered", "promotion_decided", "promoted"]
    assert all(batch["clean_digest"] and batch["validation_accepted"] and batch["suite_version"] for batch in found["batches"])
    trained = {line["batch_number"]: line["retrain_outcome"] == "train" for line in history(world)[:6]}
    for batch in found["batches"]:
        steps = ["collect", "validate", "clean", "assess"] + ["train", "evaluate", "promote"] * trained[batch["batch_number"]]
        assert [(step["step"], step["image"]) for step in batch["batch_steps"]] == [
            (step, f"continuous-training/{step}:0.1.0") for step in steps
        ]
    assert found["mlflow"]["aliases"] == ["production"]
    tags = found["mlflow"]["tags"]
    assert found["data_digests"] == {
        split: tags[f"ct.{split}_digest"] for split in ("train", "validation", "calibration", "test")
    }
    assert (found["train_image"], found["retrain_code"]) == (tags["ct.image"], tags["ct.retrain_reason"])
    assert found["decisions"]["promotion"]["reason"] == tags["ct.reason_text"]
    spoken = ask(world, "lineage", "version", number, "--language", "es").stdout
    assert found["decisions"]["promotion"]["reason_es"] in spoken
    assert raw[0]["body_sha256"] in spoken


def test_a_batch_leads_to_the_versions_that_were_trained_on_it_and_what_became_of_them(streamed):
    world, _ = streamed
    lines = history(world)[:6]
    versions = [line["challenger_version"] for line in lines if line["challenger_version"]]
    found = json.loads(ask(world, "lineage", "batch", "1", "--json").stdout)["batches"]
    assert [batch["batch_number"] for batch in found] == [1]
    later = [line for line in lines[1:] if line["challenger_version"]]
    assert [v["model_version"] for v in found[0]["versions"]] == [line["challenger_version"] for line in later]
    assert [v["promotion_code"] for v in found[0]["versions"]] == [line["promotion_code"] for line in later]
    assert versions[0] not in [v["model_version"] for v in found[0]["versions"]]
    assert {line["code"] for line in found[0]["batch_decisions"]} >= {lines[1]["retrain_code"]}
    assert "batch 1 of" in ask(world, "lineage", "batch", "1").stdout
    unknown = ask(world, "lineage", "version", "99")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "the ledger knows no version '99'" in unknown.stderr
