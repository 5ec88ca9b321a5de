"""What the Airflow chart says, to the real Airflow: settings, commands, the DAG and its bundle from git."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
AIRFLOW = ROOT / ".envs/airflow/bin"
sys.path[:0] = [str(ROOT / "argocd-apps"), str(ROOT / "tests/unit/helm")]

import bump  # noqa: E402
from rendered import containers, pods  # noqa: E402

from tools import run_tool  # noqa: E402

pytestmark = pytest.mark.integration

STEPS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote")


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The chart's objects with its defaults."""
    charts = tmp_path_factory.mktemp("charts")
    shutil.copytree(ROOT / "helm/airflow", charts / "airflow", ignore=shutil.ignore_patterns("charts"))
    shutil.copytree(ROOT / "helm/lib", charts / "airflow/charts/lib")
    done = run_tool("helm", "template", "airflow", charts / "airflow", "--namespace=x", "--set=dags.repository=git://g/x.git")
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="module")
def settings(objects):
    """The variables that every component gets."""
    [config] = [one for one in objects if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "airflow"]
    return config["data"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An Airflow of this test's own."""
    home = tmp_path_factory.mktemp("airflow")
    return {
        "PATH": f"{AIRFLOW}:{os.defpath}",
        "AIRFLOW_HOME": str(home),
        "HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


def test_every_setting_is_one_that_airflow_or_the_provider_has(settings, environment):
    script = (
        "import json; from airflow.configuration import conf;"
        "print('JSON' + json.dumps({s: sorted(o) for s, o in conf.configuration_description.items() for o in [o['options']]}))"
    )
    done = subprocess.run([AIRFLOW / "python", "-c", script], env=environment, capture_output=True, text=True, check=True)
    known = json.loads(done.stdout.partition("JSON")[2])
    wanted = [name.split("__")[1:] for name in settings if name.startswith("AIRFLOW__")]
    secret = [
        "DATABASE__SQL_ALCHEMY_CONN",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC",
        "CORE__FERNET_KEY",
        "API__SECRET_KEY",
        "API_AUTH__JWT_SECRET",
    ]
    wanted += [name.split("__") for name in secret]
    assert len(wanted) > 30
    for section, name in wanted:
        assert name.lower() in known[section.lower()], f"[{section.lower()}] {name.lower()}"


def test_every_command_is_one_that_airflow_has(objects, environment):
    commands = {
        tuple(container["command"])
        for _, _, template in pods(objects)
        for container in containers(template)
        if "command" in container
    }
    probes = {
        tuple(container[probe]["exec"]["command"])
        for _, _, template in pods(objects)
        for container in containers(template)
        for probe in ("livenessProbe", "startupProbe")
        if "exec" in container.get(probe, {})
    }
    airflow = sorted({command for command in commands | probes if command[0] == "airflow"})
    assert len(airflow) >= 8
    script = (
        "import json, sys; from airflow.cli.cli_parser import get_parser;"
        "[get_parser().parse_args(command[1:]) for command in json.loads(sys.argv[1])]; print('parsed')"
    )
    done = subprocess.run(
        [AIRFLOW / "python", "-c", script, json.dumps(airflow)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("parsed\n"), done.stderr


@pytest.fixture
def repository(tmp_path):
    """A bare repository with the DAG and an environment's images, and its clone."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "dags", clone / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("production", "local"):
        (clone / "argocd-apps/environments" / name).mkdir(parents=True)
        images = {
            step: {"repository": f"docker.io/you/ct-{step}", "tag": "1", "digest": f"sha256:{'a' * 64}"} for step in STEPS
        }
        (clone / "argocd-apps/environments" / name / "images.yaml").write_text(bump.write(images if name == "local" else {}))
    (clone / "elsewhere").mkdir()
    (clone / "elsewhere/large").write_text("not needed\n")
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        [*identity, "commit", "--quiet", "--message=first"],
    ):
        subprocess.run(["git", "-C", str(clone), *arguments], check=True, capture_output=True)
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(clone), str(bare)], check=True, capture_output=True)
    return bare


SCRIPT = """
import importlib.util, json, sys
from airflow.providers.git.bundles.git import GitDagBundle
bundle = json.loads(sys.argv[1])
bundle = GitDagBundle(name=bundle["name"], **bundle["kwargs"])
bundle.initialize()
file = bundle.path / "house_prices.py"
spec = importlib.util.spec_from_file_location("house_prices", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
images = {task.step: task.image for task in module.dag.tasks if hasattr(task, "step")}
watch = module.watch
watched = {task.step: task.image for task in watch.tasks if hasattr(task, "step")}
assert set(watched) == {"evaluate", "promote"} and watched.items() <= images.items(), watched
whole = (bundle.path.parent / "elsewhere").exists()
version = bundle.get_current_version()
print("JSON" + json.dumps([getattr(version, "version", version), images, module.dag.schedule, watch.schedule, whole]))
"""


def run_bundle(settings, environment, repository, name):
    [bundle] = json.loads(settings["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    bundle["kwargs"]["repo_url"] = str(repository)
    schedules = {"CT_SCHEDULE": "@daily", "CT_WATCH_SCHEDULE": "*/5 * * * *"}
    given = environment | schedules | {"CT_ENVIRONMENT": name, "GIT_CONFIG_COUNT": "0"}
    given["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"] = f"{environment['HOME']}/bundles-{name}"
    return subprocess.run(
        [AIRFLOW / "python", "-c", SCRIPT, json.dumps(bundle)], env=given, capture_output=True, text=True, check=False
    )


def test_the_bundle_as_configured_reads_the_dag_with_the_images_of_its_commit(settings, environment, repository):
    head = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "main"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = run_bundle(settings, environment, repository, "local")
    assert done.returncode == 0, done.stderr[-3000:]
    version, images, schedule, watch, whole = json.loads(done.stdout.partition("JSON")[2])
    assert version == head
    assert images == {step: f"docker.io/you/ct-{step}:1@sha256:{'a' * 64}" for step in STEPS}
    assert (schedule, watch) == ("@daily", "*/5 * * * *")
    assert not whole


def test_without_published_images_the_dag_says_so(settings, environment, repository):
    done = run_bundle(settings, environment, repository, "production")
    assert done.returncode == 1
    assert "argocd-apps/bump.py has not written one to images.yaml yet" in done.stderr
