"""Airflow for these tests: a home of its own, chosen before anything imports Airflow."""

import atexit
import os
import shutil
import tempfile

import pytest

if os.environ.get("CT_TEST_AIRFLOW_OF") != str(os.getpid()):  # a worker inherits what its parent chose
    home = tempfile.mkdtemp(prefix="ct-airflow-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ |= {
        "CT_TEST_AIRFLOW_OF": str(os.getpid()),
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": home,
        # A fake cluster that is away is away at once.
        "AIRFLOW__WORKERS__API_RETRIES": "1",
    }


@pytest.fixture
def configure(monkeypatch):
    """Set options of the section continuous_training."""

    def set_options(**options: object) -> None:
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__CONTINUOUS_TRAINING__{name.upper()}", str(value))

    return set_options
