"""Each runner and a real program, through every way of ending: the same meaning in every place."""

import io
import json
import logging
import os
import signal
import threading

import pytest
from continuous_training.runners.base import RunnerError
from ct_contract import ContractError

pytestmark = pytest.mark.contract


@pytest.fixture
def log():
    return logging.getLogger("test-runners")


def logged(caplog, log):
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == log.name]


@pytest.mark.parametrize(
    ("way", "status", "code"),
    [
        ("done", 0, "PROBED"),
        ("bad_data", 65, "PROBE_BAD_DATA"),
        ("try_later", 75, "PROBE_TRY_LATER"),
        ("nothing_to_do", 99, "PROBE_NOTHING_TO_DO"),
        ("error", 1, None),
        ("crash", "killed", None),
        ("no_result", 0, None),
    ],
)
def test_status_and_result_come_back(place, log, way, status, code):
    outcome = place.runner().run(place.call(way), log=log)
    assert outcome.status == (place.killed if status == "killed" else status)
    assert (outcome.result and outcome.result.code) == code
    if status == "killed":
        assert outcome.describe() == "killed by SIGKILL; the usual reason is too little memory"


@pytest.mark.parametrize(("way", "words"), [("bad_json", "not JSON"), ("other_version", "same release")])
def test_a_broken_result_is_named(place, log, way, words):
    with pytest.raises(ContractError, match=words):
        place.runner().run(place.call(way), log=log)


def test_a_task_sees_its_own_variables_and_none_of_airflows(place, log):
    told = place.runner().run(place.call("done"), log=log).result.summary
    assert {"CT_INPUT", "CT_RESULT_PATH", "CT_POLICY", "CT_DATABASE_URL"} <= set(told["variables"])
    assert not [name for name in told["variables"] if name.startswith("AIRFLOW")]
    assert told["secret"] == len("postgresql://u:geheim@h/db")


def test_lines_are_logged_at_their_level_and_the_secret_is_hidden(place, log, caplog):
    with caplog.at_level(logging.DEBUG, log.name):
        assert place.runner().run(place.call("talk"), log=log).status == 0
    lines = logged(caplog, log)
    # The engine carries standard error on a stream of its own, so its place among the others is not promised.
    lines.remove(("INFO", "Error rate of a library: 0.2"))
    assert lines[:6] == [
        ("INFO", "plain"),
        ("WARNING", "two"),
        ("WARNING", "lines"),
        ("CRITICAL", "Error rate: 0.1"),
        ("INFO", "\\xff no text"),
        ("INFO", "secret ***"),
    ]
    assert lines[6] == ("INFO", "x" * 200_000)
    assert lines[7][1].startswith("no end of line")


def test_a_missing_secret_is_named_and_nothing_runs(place, log):
    with pytest.raises(RunnerError, match="needs the secret CT_DATABASE_URL"):
        place.runner(environ={"PATH": os.environ["PATH"]}).run(place.call("wait", file=place.file), log=log)
    assert not place.started()


@pytest.mark.parametrize(("way", "status"), [("wait", 143), ("stubborn", "killed")])
def test_stop_ends_the_task_gently_then_firmly(place, log, wait_for, way, status):
    outcomes, runner = [], place.runner()
    thread = threading.Thread(target=lambda: outcomes.append(runner.run(place.call(way, file=place.file), log=log)))
    thread.start()
    wait_for(place.started)
    runner.stop()
    thread.join(120)
    assert not place.running()
    assert [outcome.status for outcome in outcomes] == [place.killed if status == "killed" else status]
    assert outcomes[0].result is None


def test_another_program_runs_where_the_task_would(place, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    program = ["python", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    assert place.runner().interact(place.call("done"), program) == 0
    seen = json.loads(capfd.readouterr().out)
    assert json.loads(seen["CT_INPUT"])["inputs"] == {"way": "done"}
    assert (seen["CT_POLICY"], seen["CT_DATABASE_URL"]) == ("eager", "postgresql://u:geheim@h/db")
    assert place.runner().interact(place.call("done"), ["sh", "-c", "exit 7"]) == 7


def test_the_step_itself_can_be_run_there(place, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert place.runner().interact(place.call("bad_data"), ["python", "-m", "ct_probe"]) == 65
    assert "PROBE_BAD_DATA" in capfd.readouterr().out


def test_an_interrupt_is_the_programs_and_not_the_launchers(place, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    timer = threading.Timer(3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    assert place.runner().interact(place.call("done"), ["sh", "-c", "sleep 6; exit 7"]) == 7
