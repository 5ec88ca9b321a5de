"""The commands that a task keeps are run as they stand, by a shell: they start the step, and they hold no secret."""

import json
import os
import subprocess
from dataclasses import replace

import pytest
from continuous_training.commands import debug_commands
from continuous_training.kept_calls import KeptCall, Places
from ct_contract import SecretRef

pytestmark = pytest.mark.contract

SECRET = "postgresql://u:geheim@h/db"


def kept(call, environments=""):
    places = Places(
        runner="kubernetes", environments=str(environments), docker_network="host", namespace="tasks", service_account="",
        sidecar_image="", scratch_image="", admin=SecretRef(name="", secret="", key=""), pod="probe-x1",
    )  # fmt: skip
    return KeptCall(task_id="it's a probe", map_index=2, call=call, places=places)


def shell(command, directory, **variables):
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(["sh", "-c", command], cwd=directory, env=env, capture_output=True, text=True, check=False)


def test_the_process_command_runs_the_step(process_place, tmp_path):
    command = debug_commands(kept(process_place.call("bad_data"), process_place.environments))["in_place_process"]
    done = shell(command, tmp_path, CT_DATABASE_URL=SECRET)
    assert done.returncode == 65, done.stderr
    assert json.loads((tmp_path / "result.json").read_text())["code"] == "PROBE_BAD_DATA"


def test_the_docker_command_runs_the_step(docker_place, tmp_path):
    call = docker_place.call("done", note='it\'s "quoted" $HOME')
    command = debug_commands(kept(call))["in_place_docker"]
    done = shell(command, tmp_path, CT_DATABASE_URL=SECRET)
    assert done.returncode == 0, done.stderr
    assert "INFO: PROBED: The probe ran." in done.stdout


@pytest.mark.parametrize("name", ["in_place_process", "in_place_docker"])
def test_without_the_secret_nothing_starts(process_place, tmp_path, name):
    command = debug_commands(kept(process_place.call("wait", file=process_place.file), process_place.environments))[name]
    done = shell(command, tmp_path)
    assert done.returncode != 0
    assert "CT_DATABASE_URL" in done.stderr
    assert not process_place.started()


def test_no_command_holds_a_secret_and_each_place_has_one(process_place, monkeypatch):
    monkeypatch.setenv("CT_DATABASE_URL", SECRET)
    commands = debug_commands(kept(process_place.call("done"), process_place.environments))
    assert "geheim" not in json.dumps(commands)
    assert commands["show"] == "continuous-training task show r 'it'\"'\"'s a probe' --dag-id d --map-index 2"
    for runner in ("process", "docker", "kubernetes"):
        assert commands[runner].endswith(f"--dag-id d --map-index 2 --runner {runner}")
    assert commands["kubectl_logs"] == "kubectl --namespace tasks logs probe-x1 --container base"
    assert "debug probe-x1 -it --copy-to probe-x1-debug --container base -- sh" in commands["kubectl_debug"]


def test_without_a_pod_there_is_nothing_for_kubectl(process_place):
    it = kept(process_place.call("done"))
    commands = debug_commands(replace(it, places=replace(it.places, pod="")))
    assert not [name for name in commands if name.startswith("kubectl")]
