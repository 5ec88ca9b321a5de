"""What a test tells its process is gone when it ends: MLflow's client, the environment, the working directory."""

import os
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import fluent

pytestmark = pytest.mark.unit

CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"


@pytest.fixture
def process_kept(request):
    """What the fixtures of every file and every test use."""
    return request.config.pluginmanager.get_plugin(str(CONFTEST)).process_kept


def told():
    """All that MLflow's client answers without a server, and what a process has beside it."""
    return {
        "tracking": mlflow.get_tracking_uri(),
        "registry": mlflow.get_registry_uri(),
        "experiment": fluent._active_experiment_id,
        "run": mlflow.active_run() and mlflow.active_run().info.run_id,
        "last run": fluent._last_active_run_id.get(),
        "model": mlflow.get_active_model_id(),
        "environment": dict(os.environ),
        "directory": Path.cwd(),
    }


def tell(directory):
    """Everything anew, as a training does that ends in the middle of its run."""
    store = directory / "store"
    store.mkdir(parents=True)
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    mlflow.set_tracking_uri(store.as_uri())
    mlflow.set_registry_uri(store.as_uri())
    mlflow.set_experiment("of somebody else")
    with mlflow.start_run(nested=True):
        pass
    mlflow.start_run(nested=True)
    mlflow.set_active_model(name="of somebody else")
    os.environ.pop("PATH", None)
    os.environ["HOME"] = str(directory)
    os.chdir(directory)


def test_what_was_told_ends_with_the_test(process_kept, tmp_path):
    before = told()
    with process_kept():
        tell(tmp_path)
        within = told()
    assert [name for name, value in within.items() if value == before[name]] == []
    assert told() == before


def test_what_a_file_told_holds_for_all_its_tests(process_kept, tmp_path):
    """The fixtures of a file come before those of its tests."""
    with process_kept():
        tell(tmp_path / "file")
        of_file = told()
        with process_kept():
            tell(tmp_path / "test")
            assert told() != of_file
        assert told() == of_file
