from __future__ import annotations

import configparser
import json
import shlex
import signal
import stat
import subprocess
import sys

import pytest

from local.processes import Program, log_tail, write_configuration

pytestmark = pytest.mark.unit


def program(name, tmp_path, **options):
    return Program(name=name, command=["/bin/true"], directory=tmp_path, env={"SECRET": "s3cret%value"}, **options)


def read(path):
    parser = configparser.RawConfigParser()
    parser.read(path)
    return parser


def test_the_database_is_stopped_last_and_nothing_starts_by_itself(tmp_path):
    programs = [program(name, tmp_path) for name in ("postgres", "mlflow", "airflow-scheduler")]
    parser = read(write_configuration(tmp_path, programs, 1234, "secret"))
    assert parser["group:stack"]["programs"] == "mlflow,airflow-scheduler"
    assert parser["group:database"]["programs"] == "postgres"
    assert int(parser["group:stack"]["priority"]) > int(parser["group:database"]["priority"])
    assert parser["inet_http_server"]["port"] == "127.0.0.1:1234"
    for name in ("postgres", "mlflow", "airflow-scheduler"):
        section = parser[f"program:{name}"]
        assert section["autostart"] == "false"
        assert section["killasgroup"] == "true"
        assert section["stdout_logfile_maxbytes"] == "10MB"


def test_secrets_stand_in_private_files_only(tmp_path):
    path = write_configuration(tmp_path, [program("mlflow", tmp_path)], 1234, "manager-secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "s3cret" not in path.read_text()
    file = tmp_path / "programs" / "mlflow.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["env"] == {"SECRET": "s3cret%value"}


def test_a_state_with_blanks_and_percent_signs_in_its_path_does_no_harm(tmp_path):
    state = tmp_path / "50% of my state"
    state.mkdir()
    path = write_configuration(state, [program("mlflow", tmp_path)], 1234, "secret")
    parser = read(path)
    command = shlex.split(parser["program:mlflow"]["command"].replace("%%", "%"))
    assert command[-1] == "programs/mlflow.json"
    assert "my state" not in path.read_text()


def test_the_stop_signal_is_the_program_s_own(tmp_path):
    parser = read(write_configuration(tmp_path, [program("postgres", tmp_path, stop_signal=signal.SIGINT)], 1, "secret"))
    assert parser["program:postgres"]["stopsignal"] == "INT"


def test_a_leashed_program_has_its_own_environment_and_directory_only(tmp_path):
    script = "import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))"
    one = Program(name="one", command=[sys.executable, "-I", "-c", script], directory=tmp_path, env={"ONLY": "this"})
    parser = read(write_configuration(tmp_path, [one], 1, "secret"))
    command = shlex.split(parser["program:one"]["command"].replace("%%", "%"))
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env={"LEAKED": "that"})
    environment, directory = json.loads(done.stdout)
    assert environment.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python itself may add it
    assert environment == {"ONLY": "this"}
    assert directory == str(tmp_path.resolve())


def test_the_end_of_a_log(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mlflow.log").write_text("\n".join(f"line {number}" for number in range(10_000)))
    tail = log_tail(tmp_path, "mlflow", lines=3).splitlines()
    assert tail[1:] == ["line 9997", "line 9998", "line 9999"]
    assert str(tmp_path) in tail[0]
    assert "does not exist" in log_tail(tmp_path, "airflow-triggerer")
