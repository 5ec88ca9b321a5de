"""Which images a commit makes anew: those whose inputs it touched, and no others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "argocd-apps")]

import bump  # noqa: E402

from task_images import build, outdated  # noqa: E402

pytestmark = pytest.mark.unit
PREFIX = "docker.io/you/ct-"


def git(clone: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "-C", str(clone), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A repository with the files that images are made from, in one commit."""
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "init", "--quiet")
    shutil.copytree(
        ROOT / "task_images", clone / "task_images", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    )
    for name in ("serving", "dashboard", "provider", "requirements"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, clone / name)
    (clone / "docs").mkdir()
    (clone / "docs" / "page.md").write_text("one\n")
    git(clone, "add", "--force", ".")
    git(clone, "commit", "--quiet", "--message=first")
    return clone


def published(clone: Path) -> str:
    """An images.yaml with everything as it is now."""
    found = outdated.candidates(PREFIX, clone)
    return bump.write(
        {
            one.name: {"repository": one.reference.rpartition(":")[0], "tag": one.tag, "digest": f"sha256:{'0' * 64}"}
            for one in found
        }
    )


def touch(clone: Path, path: str) -> set[str]:
    """The images that a commit to one file makes outdated."""
    before = published(clone)
    with (clone / path).open("a", encoding="utf-8") as file:
        file.write("\n")
    git(clone, "commit", "--quiet", "--all", f"--message=touch {path}")
    return {one.name for one in outdated.outdated(PREFIX, before, clone)}


def test_without_anything_published_all_are_outdated(clone):
    found = outdated.outdated(PREFIX, bump.write({}), clone)
    assert {one.name for one in found} == {name.replace("_", "-") for name in build.read_manifest()}


def test_with_everything_published_none_is(clone):
    assert outdated.outdated(PREFIX, published(clone), clone) == []


def test_under_another_prefix_all_are(clone):
    assert len(outdated.outdated("registry.example.org/", published(clone), clone)) == len(build.read_manifest())


@pytest.mark.parametrize(
    ("path", "images"),
    [
        ("docs/page.md", set()),
        ("serving/ct_serving/app.py", {"serving"}),
        ("requirements/mlflow.txt", {"mlflow"}),
        ("task_images/collect/Dockerfile", {"collect"}),
        ("task_images/collect/ct_collect/__init__.py", {"collect"}),
        ("provider/continuous_training/dag.py", {"airflow"}),
    ],
)
def test_a_commit_makes_outdated_what_is_made_from_what_it_touched(clone, path, images):
    assert touch(clone, path) == images


def test_a_shared_package_makes_all_outdated_that_hold_it(clone):
    holding = {name.replace("_", "-") for name, image in build.read_manifest().items() if "task_images/store" in image.packages}
    assert touch(clone, "task_images/store/ct_store/copy.py") == holding


def test_the_tag_names_the_release_and_the_commit(clone):
    head = subprocess.run(
        ["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    touch(clone, "serving/ct_serving/app.py")
    [serving] = [one for one in outdated.candidates(PREFIX, clone) if one.name == "serving"]
    assert serving.revision != head
    assert serving.reference == f"docker.io/you/ct-serving:{build.release()}-g{serving.revision[:12]}"
