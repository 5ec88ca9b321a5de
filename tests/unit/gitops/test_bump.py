"""The file of images on a real git repository: bump, race, revert."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "argocd-apps"))

import bump  # noqa: E402

pytestmark = pytest.mark.unit

IDENTITY = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(clone), *IDENTITY, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def images(clone: Path) -> dict[str, dict[str, str]]:
    return yaml.safe_load((clone / "argocd-apps/environments/production/images.yaml").read_text())["global"]["images"]


@pytest.fixture
def clones(tmp_path, monkeypatch):
    """A bare repository and two clones of it."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    made = []
    for name in ("one", "two"):
        clone = tmp_path / name
        subprocess.run(["git", "clone", "--quiet", str(bare), str(clone)], check=True, capture_output=True)
        if not made:
            for environment in ("production", "local"):
                file = clone / "argocd-apps/environments" / environment / "images.yaml"
                file.parent.mkdir(parents=True)
                file.write_text(bump.write({}))
            (clone / "other").write_text("as it was\n")
            git(clone, "checkout", "--quiet", "-b", "main")
            git(clone, "add", ".")
            git(clone, "commit", "--quiet", "--message=first")
            git(clone, "push", "--quiet", "--set-upstream", "origin", "main")
        made.append(clone)
    return made


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "argocd-apps/bump.py"), *arguments, f"--root={clone}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_one_image_is_one_line_and_the_others_stay(clones):
    clone = clones[0]
    assert (
        run(
            clone,
            "production",
            f"serving=docker.io/you/ct-serving:0.1.0-g1@{OLD}",
            f"store=docker.io/you/ct-store:0.1.0-g1@{OLD}",
            "--commit",
        ).returncode
        == 0
    )
    assert run(clone, "production", f"serving=docker.io/you/ct-serving:0.1.0-g2@{NEW}", "--commit").returncode == 0
    assert git(clone, "log", "-1", "--format=%s") == "deploy(production): serving 0.1.0-g2"
    assert git(clone, "show", "--format=", "--numstat") == "1\t1\targocd-apps/environments/production/images.yaml"
    assert images(clone)["serving"] == {"repository": "docker.io/you/ct-serving", "tag": "0.1.0-g2", "digest": NEW}
    assert images(clone)["store"]["digest"] == OLD


def test_a_revert_restores_the_old_digest(clones):
    clone = clones[0]
    for tag, digest in (("g1", OLD), ("g2", NEW)):
        run(clone, "production", f"serving=docker.io/you/ct-serving:{tag}@{digest}", "--push")
    before = images(clone)
    git(clone, "revert", "--no-edit", "HEAD")
    assert before["serving"]["digest"] == NEW
    assert images(clone)["serving"] == {"repository": "docker.io/you/ct-serving", "tag": "g1", "digest": OLD}


def test_the_same_again_makes_no_commit(clones):
    clone = clones[0]
    given = ("production", f"serving=docker.io/you/ct-serving:g1@{OLD}", "--push")
    assert run(clone, *given).stdout == "production: serving changed\n"
    head = git(clone, "rev-parse", "HEAD")
    assert run(clone, *given).stdout == "production: nothing changed\n"
    assert git(clone, "rev-parse", "HEAD") == head


def test_whoever_was_slower_goes_on_top_and_both_changes_stay(clones):
    one, two = clones
    git(two, "pull", "--quiet")
    assert run(one, "production", f"serving=docker.io/you/ct-serving:g1@{OLD}", "--push").returncode == 0
    done = run(two, "production", f"store=docker.io/you/ct-store:g1@{NEW}", "--push")
    assert done.returncode == 0, done.stderr
    git(one, "pull", "--quiet")
    assert {name: image["digest"] for name, image in images(one).items()} == {"serving": OLD, "store": NEW}
    assert git(one, "rev-list", "--count", "HEAD") == "3"


def test_only_the_file_is_committed(clones):
    clone = clones[0]
    (clone / "other").write_text("half done\n")
    git(clone, "add", "other")
    run(clone, "production", f"serving=docker.io/you/ct-serving:g1@{OLD}", "--commit")
    assert git(clone, "show", "--format=", "--name-only") == "argocd-apps/environments/production/images.yaml"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["production", "serving=docker.io/you/ct-serving:latest"], "latest"),
        (["production", "serving=docker.io/you/ct-serving"], "is not NAME="),
        (["production", "serving=docker.io/you/ct-serving:1@sha256:abc"], "is not NAME="),
        (["staging", f"serving=docker.io/you/ct-serving:1@{OLD}"], "there are local, production"),
    ],
)
def test_what_names_no_image_is_refused_and_nothing_is_written(clones, given, word):
    before = git(clones[0], "status", "--porcelain")
    done = run(clones[0], *given)
    assert done.returncode == 2
    assert word in done.stderr
    assert git(clones[0], "status", "--porcelain") == before


def test_a_port_in_the_registry_s_name_is_no_tag():
    assert bump.parse_reference("a=localhost:5000/x/a:1")[1] == {"repository": "localhost:5000/x/a", "tag": "1"}


def test_every_environment_s_file_is_one_that_the_script_reads():
    for file in sorted((ROOT / "argocd-apps/environments").glob("*/images.yaml")):
        assert bump.read(file.read_text()) == yaml.safe_load(file.read_text())["global"]["images"]
