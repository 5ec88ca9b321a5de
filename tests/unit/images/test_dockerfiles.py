"""Every Dockerfile makes what the manifest says, in the way that all of them are made."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
for place in (ROOT, Path(__file__).parent):
    sys.path.insert(0, str(place))

import dockerfile  # noqa: E402

from local import environments, stack  # noqa: E402
from task_images import build  # noqa: E402

pytestmark = pytest.mark.unit

IMAGES = build.read_manifest()
PYTHON_IMAGES = {name: image for name, image in IMAGES.items() if image.requirements}
LABELS = ("title", "description", "version", "revision", "licenses")

every_image = pytest.mark.parametrize("name", IMAGES)
every_python_image = pytest.mark.parametrize("name", PYTHON_IMAGES)


def read(name: str) -> dockerfile.Dockerfile:
    return dockerfile.read(ROOT / IMAGES[name].dockerfile)


def sources(stage: dockerfile.Stage) -> list[str]:
    return [source for value in stage.all("COPY") for source in value.split()[:-1]]


def test_every_dockerfile_is_in_the_manifest():
    found = {str(file.relative_to(ROOT)) for place in ("*", "task_images/*") for file in ROOT.glob(f"{place}/Dockerfile")}
    assert found == {image.dockerfile for image in IMAGES.values()}


def test_every_step_has_an_image():
    assert {*stack.STEPS, "scratch", "store"} <= set(IMAGES)


def test_every_image_with_python_is_an_environment_here():
    assert set(PYTHON_IMAGES) | {"local", "dev"} == set(environments.PACKAGES)


@pytest.mark.parametrize("name", sorted(set(PYTHON_IMAGES) - {"airflow", "mlflow"}))
def test_an_image_holds_what_its_packages_need_of_ours(name):
    described = {
        package: tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"] for package in IMAGES[name].packages
    }
    ours = {project["name"] for project in described.values()}
    for project in described.values():
        needed = {need for need in project["dependencies"] if need.startswith(("continuous-training", "house-prices"))}
        assert needed <= ours, f"{project['name']} needs more than the image has"


@pytest.mark.parametrize("name", sorted(set(PYTHON_IMAGES) - {"airflow", "mlflow"}))
def test_exactly_the_packages_of_the_manifest_are_copied(name):
    assert sources(read(name).stage("packages")) == list(IMAGES[name].packages)


def test_the_airflow_image_is_made_from_what_the_distribution_is_made_from():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    folders = [line.split("=")[1].strip() for line in settings["options"]["package_dir"].strip().splitlines()]
    assert sources(read("airflow").stage("packages")) == ["pyproject.toml", "setup.cfg", "README.md", "LICENSE", *folders]


@every_python_image
def test_requirements_are_those_of_the_manifest_with_their_hashes(name):
    stage = read(name).stage("requirements")
    assert sources(stage) == [f"requirements/{IMAGES[name].requirements}.txt"]
    install = stage.all("RUN")[-1]
    assert "--require-hashes" in install
    assert "--no-deps" in install
    [tools] = read(name).stage("tools").all("RUN")
    assert "--require-hashes" in tools


@every_python_image
def test_a_change_of_our_code_leaves_the_layer_of_the_requirements(name):
    stages = {stage.name: stage for stage in read(name).stages}
    assert stages["requirements"].base == "tools"
    assert not set(sources(stages["tools"]) + sources(stages["requirements"])) & set(IMAGES[name].packages)
    copies = stages[None].all("COPY")
    assert copies[0] == "--from=requirements /app /app"
    assert copies[1:] == (["--from=packages /app /app"] if IMAGES[name].packages else [])


@every_image
def test_the_base_is_an_argument_and_pinned_by_digest(name):
    file = read(name)
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", file.arguments["BASE_IMAGE"])
    known = {"scratch", "${BASE_IMAGE}"}
    for stage in file.stages:
        assert stage.base in known
        known.add(stage.name or "")


def test_every_image_has_the_same_base():
    assert len({read(name).arguments["BASE_IMAGE"] for name in IMAGES}) == 1


@every_image
def test_a_builder_without_buildkit_can_build_it(name):
    text = read(name).text
    assert not text.startswith("# syntax")
    for word in ("--mount", "--link", "--chmod", "<<", "latest"):
        assert word not in text


@every_image
def test_the_image_runs_as_a_fixed_user_that_is_not_root(name):
    [user] = read(name).image.all("USER")
    assert user == ("65532:65532" if name == "xcom_sidecar" else "10001:10001")


@every_image
def test_the_image_installs_nothing_in_its_last_stage_and_takes_no_file_from_the_context(name):
    stage = read(name).image
    assert all(value.startswith("--from=") for value in stage.all("COPY"))
    assert not stage.all("ADD")
    commands = stage.all("RUN")
    if name == "airflow":  # reads its DAGs with git, and with what git needs of the system
        assert sum("apt-get install --yes --no-install-recommends ca-certificates git" in command for command in commands) == 1
        commands = [command for command in commands if "apt-get" not in command]
    for command in commands:
        assert not re.search(r"\b(apt|apt-get|pip|uv|curl|wget)\b", command)


@every_python_image
def test_the_first_layer_above_the_base_is_the_one_that_sizes_are_counted_from(name):
    keyword, command = read(name).image.instructions[0]
    assert keyword == "RUN"
    assert build.ABOVE_BASE in command


@every_image
def test_the_labels_say_what_it_is_and_from_which_revision(name):
    [label] = read(name).image.all("LABEL")
    given = dict(part.split("=", 1) for part in shlex.split(label))
    assert set(given) == {f"org.opencontainers.image.{key}" for key in LABELS}
    assert given["org.opencontainers.image.version"] == "${VERSION}"
    assert given["org.opencontainers.image.revision"] == "${REVISION}"
    assert {"VERSION=unknown", "REVISION=unknown"} == set(read(name).image.all("ARG"))


@every_image
def test_the_release_is_said_last_so_that_it_invalidates_no_layer(name):
    assert [keyword for keyword, _ in read(name).image.instructions][-3:] == ["ARG", "ARG", "LABEL"]


@every_image
def test_what_listens_has_a_health_check_without_a_shell(name):
    stage = read(name).image
    assert len(stage.all("EXPOSE")) == len(stage.all("HEALTHCHECK"))
    for port, check in zip(stage.all("EXPOSE"), stage.all("HEALTHCHECK"), strict=True):
        assert ' CMD ["python", "-c", ' in check
        assert f"127.0.0.1:{port}/" in check


@pytest.mark.parametrize("name", [*stack.STEPS, "scratch"])
def test_a_task_image_runs_its_step_and_anything_else_that_is_asked(name):
    stage = read(name).image
    assert stage.json("CMD") == ["python", "-m", f"ct_{name}"]
    assert not stage.all("ENTRYPOINT")
    assert (ROOT / IMAGES[name].packages[-1] / f"ct_{name}" / "__main__.py").is_file()


def test_the_context_has_what_images_are_made_from_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    packages = {package for image in IMAGES.values() for package in image.packages} - {"."}
    distribution = set(sources(read("airflow").stage("packages"))) - {"task_images/contract/ct_contract"}
    side_car = set(sources(read("xcom_sidecar").stage("build")))
    wanted = packages | distribution | side_car | {"requirements/*.txt", "task_images/trim.py"}
    assert {line[1:] for line in lines if line.startswith("!")} == wanted
