"""The wrapper that every image shares, as real processes: exit codes, result file, log lines, signals."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from ct_contract import TaskInput

pytestmark = pytest.mark.unit

PROBE = """
import logging, sys, time
from ct_contract import *
def step(payload):
    how = payload.inputs["how"]
    if how == "done":
        logging.getLogger("probe").warning("two\\nlines")
        return TaskResult(task="probe", run_id=payload.run_id, code="PROBED", reason="All is well.", summary={"n": 1})
    if how == "bad": raise BadDataError("BAD", "the price is missing; nothing was stored; ask the source", {"column": "price"})
    if how == "later": raise TryLaterError("AWAY", "the source is away")
    if how == "nothing": raise NothingToDoError("SKIP_END_OF_DATA", "all batches were collected")
    if how == "crash": raise KeyError("oops")
    if how == "nan": return TaskResult(task="probe", run_id="r", code="X", summary={"n": float("nan")})
    if how == "wait":
        print("INFO: waiting", flush=True)
        time.sleep(30)
raise SystemExit(run_task("probe", step))
"""


def start(tmp_path, how, *, task="probe", **options):
    payload = TaskInput(task=task, dag_id="d", run_id="r", inputs={"how": how}).to_json()
    environ = {**os.environ, "CT_INPUT": payload, "CT_RESULT_PATH": str(tmp_path / "out" / "return.json")}
    return subprocess.Popen(
        [sys.executable, "-c", PROBE], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def finish(tmp_path, how, **options):
    process = start(tmp_path, how, **options)
    output, _ = process.communicate(timeout=30)
    file = tmp_path / "out" / "return.json"
    return process.returncode, json.loads(file.read_text()) if file.exists() else None, output


@pytest.mark.parametrize(
    ("how", "status", "result_status", "code"),
    [
        ("done", 0, "done", "PROBED"),
        ("bad", 65, "rejected", "BAD"),
        ("later", 75, "failed", "AWAY"),
        ("nothing", 99, "skipped", "SKIP_END_OF_DATA"),
    ],
)
def test_each_end_has_its_exit_code_and_leaves_its_result(tmp_path, how, status, result_status, code):
    returned, result, _ = finish(tmp_path, how)
    assert (returned, result["status"], result["code"]) == (status, result_status, code)


@pytest.mark.parametrize("how", ["crash", "nan"])
def test_a_fault_leaves_no_result_and_exit_code_one(tmp_path, how):
    returned, result, output = finish(tmp_path, how)
    assert returned == 1
    assert result is None
    assert list(tmp_path.glob("out/.result-*")) == []
    assert "ERROR: " in output


def test_every_line_carries_its_level(tmp_path):
    for how in ("done", "crash"):
        _, _, output = finish(tmp_path, how)
        assert all(line.startswith(("INFO: ", "WARNING: ", "ERROR: ")) for line in output.splitlines()), output


def test_the_sentence_is_in_the_log(tmp_path):
    _, _, output = finish(tmp_path, "done")
    assert "INFO: PROBED: All is well." in output.splitlines()


def test_a_skip_is_no_error_in_the_log(tmp_path):
    _, _, output = finish(tmp_path, "nothing")
    assert output == "INFO: SKIP_END_OF_DATA: all batches were collected\n"


def test_an_input_for_another_image_is_refused(tmp_path):
    returned, result, output = finish(tmp_path, "done", task="train")
    assert (returned, result) == (1, None)
    assert "this is the probe image, the input is for train" in output


def test_sigterm_ends_cleanly_without_a_result(tmp_path):
    process = start(tmp_path, "wait")
    assert process.stdout.readline() == "INFO: waiting\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    assert time.monotonic() - began < 5
    assert "was asked to stop" in output
    assert not (tmp_path / "out" / "return.json").exists()


def test_the_input_may_come_from_a_file_or_standard_input(tmp_path):
    payload = TaskInput(task="probe", dag_id="d", run_id="r", inputs={"how": "done"}).to_json()
    file = tmp_path / "input.json"
    file.write_text(payload)
    environ = {key: value for key, value in os.environ.items() if key != "CT_INPUT"}
    for arguments, stdin in ((["--input", str(file)], None), (["--input", "-"], payload)):
        target = tmp_path / "result.json"
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *arguments, "--result", str(target)],
            env=environ, input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert json.loads(target.read_text())["code"] == "PROBED"
        target.unlink()
    done = subprocess.run([sys.executable, "-c", PROBE], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "set CT_INPUT or give --input FILE" in done.stdout
