"""A gap is noticed, recovered from or reported, and a killed collector leaves RAW as if it had never been killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ct_contract import BadDataError, NothingToDoError, TaskInput, TryLaterError

pytestmark = pytest.mark.integration


def hashes(source):
    return [hashlib.sha256(body).hexdigest() for body in source.batches]


def stored_hashes(store):
    return [row["body_sha256"] for row in store.rows("SELECT body_sha256 FROM raw.batches ORDER BY batch_number")]


def test_a_missed_batch_is_fetched_by_a_restart_and_a_replay(source, run, store):
    run("r1")
    run("r2")
    source.cursor = 3
    assert run("r3").summary["batch_number"] == 2
    assert run("r4").summary["batch_number"] == 3
    assert store.numbers() == [0, 1, 2, 3]
    assert stored_hashes(store) == hashes(source)
    assert store.outcomes() == ["stored", "stored", "gap", "restarted", "known", "known", "recovered", "stored"]


def test_on_gap_stop_reports_the_way_out_and_touches_nothing(source, run, store):
    run("r1")
    source.cursor = 2
    end = run("r2", on_gap="stop")
    assert isinstance(end, BadDataError)
    assert end.code == "BATCH_GAP"
    assert "on_gap=recover" in end.message
    assert end.summary["expected"] == 1
    assert "/restart_data_generation" not in source.asked
    assert store.numbers() == [0]
    # The way out that the message tells.
    assert run("r2").summary["batch_number"] == 1
    assert store.outcomes() == ["stored", "gap", "restarted", "known", "recovered"]


def test_a_stop_notices_the_end_behind_a_lost_batch_too(source, run, store):
    run("r1")
    source.cursor = 3
    assert run("r2", on_gap="stop").code == "BATCH_GAP"
    assert run("r3", on_gap="stop").code == "BATCH_GAP"
    assert store.decisions() == []


def test_the_end_of_data_after_a_lost_answer_is_a_gap(source, run, store, answer):
    for number in range(3):
        run(f"r{number}")
    source.script = [answer(source.batches[3], cut=40)]
    assert isinstance(run("r3"), TryLaterError)
    assert run("r3").summary["batch_number"] == 3
    assert isinstance(run("r4"), NothingToDoError)
    assert stored_hashes(store) == hashes(source)


def test_the_end_of_data_after_a_5xx_that_took_nothing_is_the_end(source, run, store, answer):
    source.batches = source.batches[:1]
    run("r1")
    source.script = [answer(b"oops", 500, moves=False)]
    assert run("r2").code == "SOURCE_UNAVAILABLE"
    assert run("r2").code == "SKIP_END_OF_DATA"
    assert store.outcomes() == ["stored", "failed", "gap", "restarted", "known", "end_of_data"]
    assert run("r3").code == "SKIP_END_OF_DATA"
    assert source.asked.count("/restart_data_generation") == 1


def test_a_source_that_others_have_emptied_is_restarted_once(source, run, store):
    source.cursor = 4
    assert run("r1").summary["batch_number"] == 0
    assert store.outcomes() == ["gap", "restarted", "recovered"]


def test_a_changed_batch_in_a_replay_is_an_alarm_and_stays_one(source, run, store):
    run("r1")
    run("r2")
    source.cursor, source.batches[1] = 3, source.batches[1].replace(b"Windsor", b"Hampton")
    for _ in range(2):
        end = run("r3")
        assert isinstance(end, BadDataError)
        assert end.code == "BATCH_CHANGED"
        assert end.summary["batch_number"] == 1
    assert store.numbers() == [0, 1]


def test_a_source_that_has_shrunk_is_an_alarm(source, run, store, answer):
    run("r1")
    run("r2")
    source.script = [answer(b"", 500)]
    run("r3")
    source.batches = source.batches[:1]
    for _ in range(2):
        assert run("r3").code == "BATCH_CHANGED"
    assert store.decisions() == []


@pytest.mark.parametrize(("status", "code"), [(404, "BATCH_GAP"), (503, "SOURCE_UNAVAILABLE")])
def test_a_restart_that_fails_is_told_and_tried_again(source, run, store, status, code):
    run("r1")
    source.cursor, source.restart_status = 2, status
    assert run("r2").code == code
    source.restart_status = 200
    assert run("r2").summary["batch_number"] == 1
    assert store.numbers() == [0, 1]


def test_another_client_in_the_middle_of_a_replay_is_noticed(source, run, store, answer, make_batch):
    run("r1")
    run("r2")
    source.cursor = 3
    real = source.answer

    def greedy(path):
        if path.startswith("/data") and source.cursor == 1 and "/restart_data_generation" in source.asked:
            source.cursor += 1
        return real(path)

    source.answer = greedy
    end = run("r3")
    assert end.code == "BATCH_GAP"
    assert "another client" in end.message
    source.answer = real
    assert run("r3").summary["batch_number"] == 2
    assert stored_hashes(store) == hashes(source)[:3]


def test_a_replay_that_breaks_off_begins_again(source, run, store, answer):
    run("r1")
    run("r2")
    source.cursor = 3
    source.script = []
    real, broken = source.answer, []

    def break_once(path):
        scripted = real(path)
        if source.asked[-2:] == ["/data", "/data"] and "/restart_data_generation" in source.asked and not broken:
            broken.append(True)
            scripted.cut = 30
        return scripted

    source.answer = break_once
    assert run("r3").code == "SOURCE_UNAVAILABLE"
    assert run("r3").summary["batch_number"] == 2
    assert run("r4").summary["batch_number"] == 3
    assert stored_hashes(store) == hashes(source)


def test_a_database_that_goes_away_in_mid_batch_is_tried_later(source, run, store, answer, database_url):
    import psycopg

    real = source.answer

    def kill_sessions(path):
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'collect'")
        return real(path)

    source.answer = kill_sessions
    end = run("r1")
    assert isinstance(end, TryLaterError)
    assert end.code == "DATABASE_UNAVAILABLE"
    assert store.numbers() == []
    source.answer = real
    assert run("r1").summary["batch_number"] == 0


class RealTask:
    """``python -m ct_collect`` as a runner starts it, to be killed."""

    def __init__(self, pipeline_url, inputs, directory):
        self.pipeline_url, self.inputs, self.directory = pipeline_url, inputs, Path(directory)

    def start(self, run_id):
        payload = TaskInput(task="collect", dag_id="training", run_id=run_id, inputs=self.inputs)
        self.result = self.directory / f"{run_id}.json"
        environ = {"PATH": os.environ["PATH"], "CT_DATABASE_URL": self.pipeline_url, "CT_INPUT": payload.to_json(),
                   "CT_RESULT_PATH": str(self.result)}  # fmt: skip
        return subprocess.Popen([sys.executable, "-m", "ct_collect"], env=environ, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def task(pipeline_url, inputs, tmp_path):
    return RealTask(pipeline_url, inputs, tmp_path)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


KILLS = {
    "before the answer": (signal.SIGKILL, 0.0),
    "in the first row": (signal.SIGKILL, 0.0002),
    "in the middle of the body": (signal.SIGKILL, 0.5),
    "before the last byte": (signal.SIGKILL, 1.0),
    "gently before the answer": (signal.SIGTERM, 0.0),
    "gently in the middle of the body": (signal.SIGTERM, 0.5),
}


@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS.keys())
def test_a_task_killed_in_mid_answer_takes_the_same_batch_again(source, run, store, task, make_batch, kill):  # noqa: PLR0917
    signal_number, share = kill
    source.batches = [make_batch(number, [{"price": float(i), "city": "x" * 50} for i in range(30_000)]) for number in range(3)]
    run("r0")
    source.hold = share
    process = task.start("r1")
    wait_for(source.held.is_set)
    time.sleep(0.2)
    process.send_signal(signal_number)
    out = process.communicate()[0]
    assert process.returncode == (-signal_number if signal_number is signal.SIGKILL else 128 + signal_number), out
    assert not task.result.exists()
    source.release.set()
    assert store.numbers() == [0]
    assert run("r1").summary["batch_number"] == 1
    assert run("r2").summary["batch_number"] == 2
    assert store.numbers() == [0, 1, 2]
    assert stored_hashes(store) == hashes(source)
    assert store.outcomes() == ["stored", "sent", "gap", "restarted", "known", "recovered", "stored"]


def test_a_task_killed_before_it_writes_its_result_returns_the_same_batch(source, run, store, task):
    process = task.start("r0")
    wait_for(lambda: store.rows("SELECT 1 FROM raw.batches"))
    process.kill()
    process.communicate()
    task.start("r0").communicate()
    assert json.loads(task.result.read_text())["summary"]["batch_number"] == 0
    assert source.requests == 1
    assert store.numbers() == [0]


def test_a_task_killed_at_any_moment_takes_each_batch_once(source, run, store, task, make_batch):
    source.batches = [make_batch(number, [{"price": float(i)} for i in range(20_000)]) for number in range(4)]
    process = task.start("warm")
    process.communicate()
    began = time.monotonic()
    task.start("r1").communicate()
    whole = time.monotonic() - began
    killed = 0
    for number, share in ((2, 0.5), (3, 0.9)):
        for extra in (-0.15, 0.0, 0.06, 0.12):
            process = task.start(f"r{number}")
            time.sleep(max(0.0, whole * (share + extra)))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            process.stdout.close()
        process = task.start(f"r{number}")
        out = process.communicate()[0]
        assert process.returncode == 0, out
        assert json.loads(task.result.read_text())["summary"]["batch_number"] == number
    assert killed >= 4
    assert store.numbers() == [0, 1, 2, 3]
    assert stored_hashes(store) == hashes(source)
    assert run("r4").code == "SKIP_END_OF_DATA"
