"""``policy compare`` on histories that the real steps recorded, and against real runs under the other policy."""

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock
from uuid import uuid4

import psycopg
import pytest
from ct_contract import TaskInput
from ct_decisions.policy import POLICIES, load_policy
from ct_decisions.redecide import redecide
from ct_promote.step import promote
from ct_records.history import read_history
from ct_store.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ENVIRONMENTS = Path(__file__).resolve().parents[3] / ".envs"
NEVADA = {"state": "Nevada", "zips": range(89000, 89040)}
KNOWS = {"states": ["California", "Nevada"]}
STREAM = [
    (1, {"rows": 3000}, {"error": 0.1, "strange": -0.35}),
    (2, {"rows": 2000}, {"error": 0.02, "strange": -0.35}),
    (3, {"rows": 600}, {}),
    (4, {"rows": 200, **NEVADA}, {"error": 0.02, **KNOWS}),
    (5, {"rows": 900}, {"error": 0.02, **KNOWS}),
    (6, {"rows": 700}, {"error": 0.02, **KNOWS}),
]
"""Batch, its rows, and the model that a training on it gives. The model after batch 4 is better where it knows a state that the
one before did not, and overall by less than the course's rule asks for."""


def record(world):
    """Run the real assess, evaluate and promote over the stream."""
    for batch, rows, faults in STREAM:
        world.add_batch(batch, **rows)
        assessed = world.assess(batch, run_id=f"batch {batch}")
        if assessed.summary["decision"] != "train":
            continue
        known = ",".join(str(earlier) for earlier in range(1, batch + 1))
        version = world.add_version(known, alias="challenger", reason=assessed.code, **faults)
        judged = world.evaluate(batch, version, run_id=f"batch {batch}").summary
        inputs = {"action": judged["decision"], "decision_id": judged["decision_id"], "model_version": version}
        promote(TaskInput(task="promote", dag_id="d", run_id=f"batch {batch}", inputs=inputs))


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """The shipped policies, but for the limits of speed and memory: how busy this machine is must not decide."""
    directory = tmp_path_factory.mktemp("policies")
    found = {}
    for name in ("strict", "course-2026"):
        text = (POLICIES / f"{name}.yaml").read_text()
        for key, value in (("load_seconds", 600), ("latency_ms", 10_000), ("memory_megabytes", 7000)):
            text, count = re.subn(rf"^  {key}: \d+", f"  {key}: {value}", text, flags=re.MULTILINE)
            assert count  # of the promotion, and the latency also of the watch
        found[name] = directory / f"{name}.yaml"
        found[name].write_text(text)
    return found


@pytest.fixture(scope="module")
def new_database(postgres_server, migrated_template):
    """Make an empty database of the newest schema and give its address."""

    def make():
        name = f"compare_{uuid4().hex[:8]}"
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        return postgres_server.url(name)

    return make


@pytest.fixture(scope="module")
def recorded(policies, new_database, tracking_uri, logged_models, tmp_path_factory):
    """The address of the database in which the stream was really run under a policy; run when it is first asked for."""
    spec = importlib.util.spec_from_file_location("worlds", Path(__file__).parent / "conftest.py")
    worlds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worlds)

    @functools.cache
    def run(policy):
        url = new_database()
        told = {"CT_DATABASE_URL": url, "MLFLOW_TRACKING_URI": tracking_uri, "CT_MODEL_NAME": f"model-{uuid4().hex}"}
        with mock.patch.dict(os.environ, told | {"CT_POLICY": str(policies[policy])}), connect("test", url) as connection:
            record(worlds.World(connection, tracking_uri, logged_models, tmp_path_factory.mktemp("world")))
        return url

    return run


@pytest.fixture
def command(recorded, policies):
    """The command line, as a person calls it, on the history of a policy."""

    def run(history, *arguments):
        words = [str(policies.get(word, word)) for word in arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "MLFLOW"))}
        program = "from continuous_training.cli import main; raise SystemExit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, "policy", "compare", *words, "--environments", str(ENVIRONMENTS)],
            env=kept | {"CT_DATABASE_URL": recorded(history)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def decisions(url):
    with connect("test", url) as connection:
        return read_history(connection)


def told(url):
    return [(line["facts"]["batch_number"], line["kind"], line["outcome"], line["code"]) for line in decisions(url)]


def test_the_stream_holds_what_is_to_be_compared(recorded):
    assert told(recorded("strict")) == [
        (0, "retrain", "train", "TRAIN_BOOTSTRAP"), (0, "promotion", "promote", "PROMOTE_FIRST_MODEL"),
        (1, "retrain", "train", "TRAIN_VOLUME"), (1, "promotion", "promote", "PROMOTE_BETTER"),
        (2, "retrain", "skip", "SKIP_NO_MATERIAL_CHANGE"),
        (3, "retrain", "train", "TRAIN_PERFORMANCE_DEGRADED"), (3, "promotion", "promote", "PROMOTE_BETTER"),
        (4, "retrain", "skip", "SKIP_NO_MATERIAL_CHANGE"),
        (5, "retrain", "skip", "SKIP_NO_MATERIAL_CHANGE"),
    ]  # fmt: skip


@pytest.mark.parametrize("policy", ["strict", "course-2026"])
def test_a_history_under_its_own_policy_is_itself_to_the_last_number(recorded, policies, policy):
    """Which shows that deciding again is faithful: outcome, code, facts, and the verdict on every signal and gate."""
    history = decisions(recorded(policy))
    lines = redecide(history, load_policy(str(policies[policy])))
    assert len(lines) == len(history)
    for line in lines:
        again = line.other.decision
        assert (again["outcome"], again["code"], again["champion_version"]) == (
            line.of["outcome"], line.of["code"], line.of["champion_version"],
        )  # fmt: skip
        assert json.loads(json.dumps(again["facts"])) == line.of["facts"]
        for name in ("signals", "gates"):
            for new, old in zip(again[name], line.of[name], strict=True):
                assert json.loads(json.dumps(new)) == {key: old[key] for key in new}


def test_the_default_against_itself_shows_no_difference(command):
    done = command("strict", "strict")
    assert done.returncode == 0, done.stderr
    assert "≠" not in done.stdout
    assert " 0 different, 0 that the evidence cannot tell." in done.stdout


@pytest.mark.parametrize(("history", "other"), [("strict", "course-2026"), ("course-2026", "strict")])
def test_another_policy_shows_what_a_real_run_under_it_decides_up_to_the_first_difference(command, recorded, history, other):
    done = command(history, other, "--json")
    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)["rows"]
    first = next(place for place, row in enumerate(rows) if row["change"] != "same")
    assert first > 2
    assert [
        (row["batch_number"], row["kind"], row["right"]["outcome"], row["right"]["code"]) for row in rows[: first + 1]
    ] == told(recorded(other))[: first + 1]
    assert rows[first]["change"] == "different"
    assert all(row["right"]["code"] in ("OTHER_CHAMPION", "CHAMPION_UNKNOWN", "TRAINING_UNKNOWN") for row in rows[first + 1 :])


def test_a_difference_is_told_with_both_sentences_in_both_languages(command):
    english, spanish = command("strict", "course-2026").stdout, command("strict", "course-2026", "--language", "es").stdout
    line = next(line for line in english.splitlines() if "≠" in line)
    assert line.split() == ["batch", "4", "3", "promotion", "promote", "PROMOTE_BETTER", "≠", "reject", "REJECT_NOT_BETTER"]
    rows = json.loads(command("strict", "course-2026", "--json").stdout)["rows"]
    [row] = [row for row in rows if row["change"] == "different"]
    assert row["left"]["reason"].startswith("Version 3 was promoted, because")
    assert row["right"]["reason"].startswith("Version 3 was not promoted, because its gain over version 2")
    version = load_policy("course-2026").version
    for text, key, recorded in ((english, "reason", "recorded"), (spanish, "reason_es", "registrado")):
        assert f"    {recorded}: {row['left'][key]}\n    course-2026 {version}: {row['right'][key]}\n" in text
    assert "The model in production would have been version 2; the evidence is about version 3." in english
    assert "El modelo en producción habría sido la versión 2; la evidencia trata de la versión 3." in spanish


def test_a_file_of_ones_own_is_compared_and_its_mistakes_are_told(command, policies, tmp_path):
    mine = tmp_path / "mine.yaml"
    text = policies["strict"].read_text().replace("name: strict", "name: mine")
    mine.write_text(text.replace("minimum_gain: 0.02 ", "minimum_gain: 0.03 ").replace("- TRAIN_PERFORMANCE_DEGRADED", ""))
    assert command("strict", mine).returncode == 1
    both = command("strict", "course-2026", "--with", mine, "--json")
    assert both.returncode == 2, "they agree, and neither knows what would have come after their rejection"
    assert json.loads(both.stdout)["counts"] == {"same": 7, "different": 0, "unknown": 2}
    mine.write_text(text.replace("minimum_gain: 0.02 ", "minimum_gain: much "))
    broken = command("strict", mine)
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "mine.yaml: promotion.minimum_gain is 'much', expected a number that is not negative" in broken.stderr
    absent = command("strict", tmp_path / "absent.yaml")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert "there is no file" in absent.stderr
    assert "there is no policy 'lenient'" in command("strict", "lenient").stderr
