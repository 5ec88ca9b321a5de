"""Keys from a file, log lines and a stop, in the process that is deployed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ct_serving.keys import hash_of, new_key
from waiting import wait_until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
HOUSE = {"state": "Puerto Rico", "zip_code": "00601", "house_size": 1000}


def test_keys_come_from_a_file_change_while_it_runs_and_never_reach_the_log(
    registry, make_serving, serving_url, mlflow_server, tmp_path
):
    version = registry.log(100)
    registry.promote(version)
    first, second = new_key(), new_key()
    file = tmp_path / "keys"
    file.write_text(f"ada:{hash_of(first.encode()).decode()}\n")
    serving = make_serving(
        CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name,
        CT_API_KEYS_FILE=str(file), CT_ACCESS_LOG="1",
    )  # fmt: skip
    serving.wait_for(version)

    def status(key, path="/predict"):
        return serving.client.post(path, json=HOUSE, headers={"X-API-Key": key}).status_code

    assert [status(key) for key in (first, second, "")] == [200, 401, 401]
    file.write_text(f"grace:{hash_of(second.encode()).decode()}\n")
    wait_until(lambda: status(second) == 200, 15, "the new key is valid")
    assert status(first) == 401
    assert serving.metric('ct_requests_refused_total{reason="key"}') >= 3
    serving.stop()
    text = serving.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["client"] for line in lines if line.get("handler") == "/predict" and line["status"] == 200} == {"ada", "grace"}
    assert any("the API keys were read again: 1" in line["message"] for line in lines)
    assert first not in text
    assert second not in text


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CT_RATE_BURST", "many", "CT_RATE_BURST must be a number, not 'many'"),
        ("CT_API_KEYS_FILE", "/nowhere/keys", "the file of API keys /nowhere/keys cannot be read: No such file or directory"),
    ],
)
def test_a_setting_that_is_wrong_ends_the_start_in_words(variable, value, words):
    command = [str(ROOT / ".envs" / "serving" / "bin" / "python"), "-m", "ct_serving", "--port", "1"]
    done = subprocess.run(command, env={**os.environ, variable: value}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, f"ct_serving does not start: {words}\n")


def test_a_request_in_flight_is_answered_before_the_process_ends(registry, make_serving, serving_url, mlflow_server):
    version = registry.log(100)
    registry.promote(version)
    serving = make_serving(CT_DATABASE_URL=serving_url, MLFLOW_TRACKING_URI=mlflow_server.url, CT_MODEL_NAME=registry.name)
    serving.wait_for(version)
    body = json.dumps({"instances": [HOUSE] * 10}).encode()

    def slowly():
        yield body[:50]
        time.sleep(1.5)
        yield body[50:]

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(serving.client.post, "/predict", content=slowly())
        time.sleep(0.5)
        serving.stop()
        answer = asked.result()
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 10
