"""The images as they were built: who they run as, what is in them, what they weigh, how they start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
for place in (ROOT, Path(__file__).parent):
    sys.path.insert(0, str(place))

from engine import TIGHT, docker  # noqa: E402

from task_images import build  # noqa: E402

pytestmark = pytest.mark.cluster

IMAGES = build.read_manifest()
TASKS = ("collect", "validate", "clean", "assess", "train", "evaluate", "promote", "scratch")
SERVERS = ("data_source", "serving", "dashboard", "mlflow")
OURS = re.compile(r"continuous-training|house-prices|airflow-provider-continuous-training")
BASE_OF_THIS_PYTHON = {"python_version": "3.11", "python_full_version": "3.11.2"}

every_image = pytest.mark.parametrize("name", IMAGES)
every_python_image = pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if image.requirements])


def required(name: str) -> dict[str, str]:
    """The versions that an environment's requirements name for Linux and the base's Python."""
    text = (ROOT / "requirements" / f"{IMAGES[name].requirements}.txt").read_text()
    found = re.findall(r"^([\w.\-]+)(?:\[[^\]]*\])?==([^\s;]+)(?: ; ([^\\\n]+))?", text, re.MULTILINE)
    return {
        canonicalize_name(package): version
        for package, version, marker in found
        if not marker or Marker(marker.strip()).evaluate(BASE_OF_THIS_PYTHON)
    }


@every_image
def test_labels_name_the_release_and_a_revision(built, name):
    labels = built(name).config["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == build.release()
    assert re.fullmatch(r"[0-9a-f]{40}(-[0-9a-f]{8})?", labels[f"{prefix}revision"])
    assert labels[f"{prefix}title"]
    assert labels[f"{prefix}description"]
    assert labels[f"{prefix}licenses"] == "Apache-2.0"


@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if image.megabytes])
def test_no_image_is_heavier_than_was_promised(built, name):
    found = built(name)
    _, added = build.measure(found.image, found.reference)
    assert added <= IMAGES[name].megabytes * build.MEGABYTE


@every_python_image
def test_it_runs_as_its_own_user_who_can_change_nothing_but_tmp(probed, name):
    told = probed(name)
    assert told["ids"] == [10001, 10001]
    assert told["writable"] == ["/tmp"]


RUN_TIME = {"airflow": {"git"}}
"""Tools that an image's program itself calls: DAG bundles come from git."""


@every_python_image
def test_nothing_of_the_build_is_left(probed, name):
    told = probed(name)
    assert set(told["tools"]) <= RUN_TIME.get(name, set())
    assert told["installers"] == []
    assert told["left"] == []


@every_python_image
def test_no_program_changes_the_user(probed, name):
    assert probed(name)["privileged"] == []


@every_python_image
def test_the_versions_are_those_of_the_requirements(probed, name):
    there = {canonicalize_name(package): version for package, version in probed(name)["versions"].items()}
    others = {package: version for package, version in there.items() if not OURS.match(package)}
    assert others == required(name)


@every_python_image
def test_every_module_of_its_own_package_can_be_imported(probed, name):
    assert probed(name)["import_errors"] == {}


@every_python_image
def test_bytecode_is_there_before_the_first_start(probed, name):
    assert probed(name)["cached"]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_without_input_says_what_is_missing_and_ends_with_1(probed, name):
    assert probed(name)["started"] == {"status": 1, "output": "ERROR: no input: set CT_INPUT or give --input FILE\n"}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_can_leave_its_result_in_a_volume_of_its_own(built, name):
    write = "from pathlib import Path; Path('/airflow/xcom/return.json').write_text('{}')"
    place = ("--tmpfs", "/airflow/xcom:mode=1777")
    done = docker("run", "--rm", "--network", "none", *TIGHT, *place, built(name).reference, "python", "-c", write)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_migration_without_a_database_says_what_is_missing(probed):
    assert probed("store")["started"] == {"status": 2, "output": "no database: set CT_DATABASE_URL or give --url\n"}


def test_airflow_starts_and_has_the_provider(probed):
    told = probed("airflow")
    assert told["started"]["status"] == 0
    assert told["started"]["output"].strip().endswith(required("airflow")["apache-airflow"])
    assert told["versions"]["airflow-provider-continuous-training"] == build.release()


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_becomes_healthy_on_a_read_only_file_system(built, name):
    container = f"ct-image-test-{uuid4().hex[:8]}"
    small = ("--env", "CT_SOURCE_SCALE=1") if name == "data_source" else ()
    run = docker(
        "run", "--detach", "--name", container, "--network", "none", "--health-interval", "2s", *TIGHT, *small,
        built(name).reference,
    )  # fmt: skip
    try:
        assert run.returncode == 0, run.stderr
        state = "starting"
        deadline = time.monotonic() + 240
        while state == "starting" and time.monotonic() < deadline:
            time.sleep(1)
            state = docker("inspect", "--format", "{{.State.Health.Status}}", container).stdout.strip()
        assert state == "healthy", docker("logs", "--tail", "30", container)
    finally:
        docker("rm", "--force", container)


def test_the_stripped_libraries_of_serving_give_the_numbers_of_the_others(built):
    program = (
        "import catboost, numpy, uvloop\n"
        "x = numpy.arange(300.0).reshape(100, 3) % 7\n"
        "model = catboost.CatBoostRegressor(iterations=20, thread_count=1, verbose=False, allow_writing_files=False)\n"
        "prices = model.fit(x, x.sum(axis=1)).predict(x)\n"
        "async def answer(): return prices.tolist()\n"
        "print(uvloop.run(answer()))\n"
    )
    here = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    there = docker("run", "--rm", "--network", "none", *TIGHT, built("serving").reference, "python", "-c", program)
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == pytest.approx(json.loads(here), rel=1e-12)


def test_the_side_car_holds_a_result_until_it_is_interrupted(built):
    """With Airflow's own commands, as the user and with the closed file system of a pod."""
    from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults

    found = built("xcom_sidecar")
    assert found.config["User"] == "65532:65532"
    assert found.facts["Size"] <= 5 * build.MEGABYTE
    container = f"ct-image-test-{uuid4().hex[:8]}"
    place = f"{PodDefaults.XCOM_MOUNT_PATH}/return.json"
    run = docker(
        "run", "--detach", "--name", container, "--tmpfs", f"{PodDefaults.XCOM_MOUNT_PATH}:mode=1777", *TIGHT,
        "--network", "none", found.reference, "sh", "-c", PodDefaults.XCOM_CMD,
    )  # fmt: skip
    try:
        assert run.returncode == 0, run.stderr
        assert docker("exec", container, "/bin/sh", "-c", "id -u").stdout == "65532\n"
        empty = docker("exec", container, "/bin/sh", "-c", f"if [ -s {place} ]; then cat {place}; else echo none; fi")
        assert (empty.stdout, empty.stderr) == ("none\n", "")
        assert docker("exec", container, "/bin/sh", "-c", f"echo '{{}}' > {place} && cat {place}").stdout == "{}\n"
        killed = docker("exec", container, "/bin/sh", "-c", "kill -2 $(pgrep -u $(id -u) -f 'sh')")
        assert killed.stderr == ""
        assert docker("wait", container, timeout=30).stdout == "0\n"
    finally:
        docker("rm", "--force", container)
