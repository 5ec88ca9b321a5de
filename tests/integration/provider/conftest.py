"""Homes for Airflow, and the steps as small real programs that keep the contract."""

import os
import subprocess
import sys
from pathlib import Path

import continuous_training.example_dags as examples
import ct_contract
import pytest
from continuous_training.provider_info import STEPS


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory):
    """Makes homes: from a program for every environment to the home's directory and the variables that choose it."""

    def make(step, names=STEPS, **options):
        home = tmp_path_factory.mktemp("airflow")
        contract = Path(ct_contract.__file__).parent.parent
        for name in names:
            python = home / "envs" / name / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.write_text(f'#!/bin/sh\nPYTHONPATH={home}/modules:{contract} exec {sys.executable} "$@"\n')
            python.chmod(0o755)
            module = home / "modules" / f"ct_{name}"
            module.mkdir(parents=True)
            (module / "__init__.py").touch()
            (module / "__main__.py").write_text(step)
        (home / "tries").mkdir()
        options = {
            "CORE__DAGS_FOLDER": Path(examples.__file__).parent,
            "CORE__LOAD_EXAMPLES": False,
            "CORE__UNIT_TEST_MODE": True,
            "DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
            "CONTINUOUS_TRAINING__RUNNER": "process",
            "CONTINUOUS_TRAINING__ENVIRONMENTS": home / "envs",
            "CONTINUOUS_TRAINING__SOURCE_URL": "http://source.example.org",
            "CONTINUOUS_TRAINING__EXPERIMENT": home / "tries",
            **options,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_"))}
        env = kept | {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
        env |= {"AIRFLOW_HOME": str(home), "CT_DATABASE_URL": "postgresql://pipeline:geheim-im-log@db/ct"}
        return home, env

    return make


@pytest.fixture(scope="session")
def python():
    """Runs this interpreter with arguments and variables; fails with what it wrote if it failed."""

    def run(*arguments, env):
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
        return done.stdout + done.stderr

    return run
