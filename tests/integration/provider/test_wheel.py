"""The built wheel in a clean environment with only its public dependencies: Airflow sees it and parses its DAG."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[3]

# The first import of a new environment compiles a thousand modules of the Kubernetes client.
SLOW = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300"}


def run(command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def uv():
    candidates = [os.environ.get("UV"), ROOT / ".envs" / "uv" / "bin" / "uv", shutil.which("uv")]
    return next(candidate for candidate in candidates if candidate and Path(candidate).exists())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    # A copy, because the build writes into its tree.
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("provider", "task_images/contract"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    run([uv(), "build", "--wheel", "--out-dir", target, source])
    [file] = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A new environment with the wheel and the pinned public dependencies; nothing of this tree is in it."""
    directory = tmp_path_factory.mktemp("clean") / "venv"
    run([uv(), "venv", "--quiet", "--no-project", "--python", sys.executable, directory])
    interpreter = directory / "bin" / "python"
    requirements = ROOT / "requirements" / "airflow.txt"
    run([uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", interpreter, requirements])
    run([uv(), "pip", "install", "--quiet", "--no-deps", "--python", interpreter, wheel])
    run([uv(), "pip", "check", "--python", interpreter])
    return interpreter


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CT_", "PYTHON"))}
    home = tmp_path_factory.mktemp("home")
    return kept | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "COLUMNS": "500"} | SLOW


def test_the_wheel_holds_the_provider_and_the_contract_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"continuous_training", "ct_contract"}
    for base, package in ((ROOT / "provider", "continuous_training"), (ROOT / "task_images" / "contract", "ct_contract")):
        files = {str(file.relative_to(base)) for file in (base / package).rglob("*.py")}
        assert files <= set(names)
    assert "continuous_training/py.typed" in names


def test_airflow_lists_the_provider_with_its_options_and_links(python, environ, tmp_path):
    listed = run([python, "-m", "airflow", "providers", "list"], env=environ, cwd=tmp_path)
    assert "airflow-provider-continuous-training" in listed
    got = run(
        [python, "-m", "airflow", "providers", "get", "airflow-provider-continuous-training", "--full", "--output", "json"],
        env=environ, cwd=tmp_path,
    )  # fmt: skip
    for word in ("continuous_training.operators.train", "HistoryLink", "keep_failed_pods"):
        assert word in got
    assert "continuous_training.links.mlflow.MLflowRunLink" in run(
        [python, "-m", "airflow", "providers", "links"], env=environ, cwd=tmp_path
    )
    assert run(
        [python, "-m", "airflow", "config", "get-value", "continuous_training", "runner"], env=environ, cwd=tmp_path
    ).strip().endswith("kubernetes")  # fmt: skip


def test_the_example_dag_parses_there(python, environ, tmp_path):
    program = (
        "from pathlib import Path\n"
        "import continuous_training.example_dags as examples, ct_contract\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag(str(Path(examples.__file__).parent))\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "print(sorted(bag.dags), len(bag.dags['continuous_training'].tasks), ct_contract.__file__)\n"
    )
    told = run([python, "-c", program], env=environ, cwd=tmp_path)
    assert "['continuous_training', 'continuous_training_watch'] 13" in told
    assert str(ROOT) not in told


def test_the_command_line_is_installed(python, environ, tmp_path):
    assert "task" in run([python.parent / "continuous-training", "--help"], env=environ, cwd=tmp_path)
