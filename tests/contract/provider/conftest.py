"""Airflow for these tests: a home of its own, chosen before anything imports Airflow."""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import ct_contract
import pytest
from continuous_training.kept_calls import KeptCall, Places
from continuous_training.runners.docker import DockerRunner
from continuous_training.runners.process import ProcessRunner
from ct_contract import SecretRef, TaskCall, TaskInput

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
    }


@pytest.fixture
def configure(monkeypatch):
    """Set options of the section continuous_training."""

    def set_options(**options: object) -> None:
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__CONTINUOUS_TRAINING__{name.upper()}", str(value))

    return set_options


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """A directory of environments that has one, of the probe, with the real contract package."""
    directory = tmp_path_factory.mktemp("environments")
    python = directory / "probe" / "bin" / "python"
    python.parent.mkdir(parents=True)
    here = Path(__file__).parent
    contract = Path(ct_contract.__file__).parent.parent
    python.write_text(f'#!/bin/sh\nPYTHONPATH={here}:{contract} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return directory


ENVIRON = {**os.environ, "CT_DATABASE_URL": "postgresql://u:geheim@h/db", "AIRFLOW__CORE__FERNET_KEY": "no business of a task"}


@pytest.fixture
def wait_for():
    """Wait until something is so, and fail if it never is."""

    def wait(condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.02)

    return wait


@pytest.fixture
def launcher():
    """Another process that runs a call by a runner, to be killed."""

    @contextmanager
    def start(call, runner):
        program = (
            "import json, logging, os, sys\n"
            "from continuous_training.kept_calls import KeptCall\n"
            "from continuous_training.runners.docker import DockerRunner\n"
            "from continuous_training.runners.process import ProcessRunner\n"
            "call = KeptCall.from_dict(json.load(sys.stdin)).call\n"
            f"{runner}.run(call, log=logging.getLogger())"
        )
        places = Places(
            runner="", environments="", docker_network="", namespace="", service_account="", sidecar_image="", scratch_image="",
            admin=SecretRef(name="", secret="", key=""),
        )  # fmt: skip
        kept = KeptCall(task_id="probe", map_index=-1, call=call, places=places)
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, env=ENVIRON, text=True)
        process.stdin.write(json.dumps(kept.to_dict()))
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    return start


def probe_call(way, *, image="probe:1", command=("python", "-m", "ct_probe"), task="probe", **inputs):
    return TaskCall(
        image=image,
        command=command,
        payload=TaskInput(task=task, dag_id="d", run_id="r", inputs={"way": way, **inputs}),
        env={"CT_POLICY": "eager"},
        secrets=(SecretRef(name="CT_DATABASE_URL", secret="s", key="url"),),
        limits={"cpu": "1", "memory": "256Mi"},
    )


@pytest.fixture(name="probe_call")
def make_probe_call():
    """Makes calls of the probe: the way to end, and what else its input holds."""
    return probe_call


@dataclass
class ProcessPlace:
    """The probe as a process of this machine."""

    environments: Path
    directory: Path
    name: str = "process"
    killed: int = -signal.SIGKILL

    @property
    def file(self):
        return str(self.directory / "pid")

    def call(self, way, **given):
        return probe_call(way, **given)

    def runner(self, environ=ENVIRON, grace=1.0):
        return ProcessRunner(self.environments, environ=environ, grace=grace)

    def started(self):
        return Path(self.file).exists() and Path(self.file).read_text() != ""

    def running(self):
        try:
            status = Path(f"/proc/{Path(self.file).read_text()}/stat").read_text()
        except FileNotFoundError:
            return False
        return status.rsplit(")", 1)[1].split()[0] != "Z"


@dataclass
class DockerPlace:
    """The probe as a container."""

    image: str
    owner: dict[str, str]
    name: str = "docker"
    killed: int = 128 + signal.SIGKILL
    file: str = "/tmp/pid"

    def call(self, way, **given):
        return probe_call(way, **{"image": self.image, **given})

    def runner(self, environ=ENVIRON, grace=1.0, **options):
        return DockerRunner(self.owner, environ=environ, grace=grace, **options)

    @property
    def container(self):
        return self.runner().name

    def docker(self, *arguments):
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)

    def started(self):
        return self.docker("exec", self.container, "cat", self.file).stdout != ""

    def running(self):
        return self.container in self.docker("ps", "--format", "{{.Names}}").stdout.split()

    def exists(self):
        return self.container in self.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()


@pytest.fixture(scope="session")
def probe_image(tmp_path_factory):
    """The probe and the real contract as an image, on CT_TEST_BASE_IMAGE; skips without an engine or that image."""
    base = os.environ.get("CT_TEST_BASE_IMAGE", "localhost/python:3.11-slim-bookworm")
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers")
    if subprocess.run(["docker", "image", "inspect", base], capture_output=True, check=False).returncode:
        pytest.skip(f"the engine has no image {base}: name a Python image in CT_TEST_BASE_IMAGE")
    context = tmp_path_factory.mktemp("probe-image")
    quiet = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(ct_contract.__file__).parent, context / "app" / "ct_contract", ignore=quiet)
    shutil.copytree(Path(__file__).parent / "ct_probe", context / "app" / "ct_probe", ignore=quiet)
    lines = [f"FROM {base}", "COPY app /app", "ENV PYTHONPATH=/app", "USER 10001", 'ENTRYPOINT ["false"]']
    (context / "Dockerfile").write_text("\n".join(lines))
    image = f"localhost/ct-test-probe:{os.getpid()}"
    subprocess.run(["docker", "build", "--quiet", "--tag", image, str(context)], capture_output=True, check=True)
    yield image
    subprocess.run(["docker", "rmi", "--force", image], capture_output=True, check=False)


@pytest.fixture
def docker_place(probe_image):
    place = DockerPlace(probe_image, {"run_id": uuid4().hex, "task_id": "probe"})
    yield place
    place.docker("rm", "--force", "--volumes", place.container)


@pytest.fixture
def process_place(environments, tmp_path):
    return ProcessPlace(environments, tmp_path)


@pytest.fixture(params=["process", "docker"])
def place(request):
    """Each place in turn where the probe can run without a cluster."""
    return request.getfixturevalue(f"{request.param}_place")
