"""The words of the workflows' own steps, run: on real repositories, and with stand-ins for what only GitHub's machines have."""

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
sys.path[:0] = [str(ROOT), str(ROOT / "argocd-apps"), str(ROOT / "tests/unit/gitops")]

import bump  # noqa: E402
from documented import files  # noqa: E402

from task_images import outdated  # noqa: E402

pytestmark = pytest.mark.unit

DIGEST = f"sha256:{'3' * 64}"
IDENTITY = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]


def step(workflow: str, job: str, name: str) -> str:
    """The words of the step of this name or id."""
    steps = yaml.safe_load((ROOT / f".github/workflows/{workflow}.yml").read_text())["jobs"][job]["steps"]
    [words] = [one["run"] for one in steps if name in (one.get("name"), one.get("id"))]
    return words


def run(
    words: str, where: Path, *, path: Path | None = None, **environment: str
) -> tuple[subprocess.CompletedProcess[str], dict]:
    """Run a step as GitHub does, and what it wrote to its outputs."""
    output = where / ".output"
    output.write_text("")
    done = subprocess.run(
        ["bash", "-e", "-c", words],
        cwd=where,
        env={
            "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"],
            "HOME": str(where),
            "GITHUB_OUTPUT": str(output),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    output.unlink()
    return done, outputs


def git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(clone), *IDENTITY, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(clone: Path, name: str) -> None:
    """One more commit, of one more line in a file."""
    (clone / name).write_text((clone / name).read_text() + "\n")
    git(clone, "commit", "--quiet", "--all", f"--message=touch {name}")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """This repository's files, as they are now, in one commit of a repository of its own."""
    clone = tmp_path_factory.mktemp("clone") / "repository"
    for name in files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    git(clone, "init", "--quiet", "--initial-branch=main")
    git(clone, "add", "--force", ".")
    git(clone, "commit", "--quiet", "--message=first")
    return clone


def test_every_image_is_built_at_first(clone):
    done, outputs = run(step("images", "outdated", "outdated"), clone, USERNAME="you")
    assert done.returncode == 0, done.stderr
    matrix = json.loads(outputs["images"])
    assert outputs["prefix"] == "docker.io/you/continuous-training-"
    assert {"collect", "serving", "airflow", "xcom-sidecar"} <= {one["name"] for one in matrix}
    for one in matrix:
        assert one["reference"] == f"docker.io/you/continuous-training-{one['name']}:{one['tag']}"
        assert one["tag"].endswith(f"-g{one['revision'][:12]}")


KNOWN = {
    "there and signed": ("echo " + DIGEST, "exit 0", 0, DIGEST),
    "there and not signed": ("echo " + DIGEST, "exit 1", 0, ""),
    "no such tag": ("echo 'ERROR: docker.io/you/x:1: not found' >&2; exit 1", "exit 0", 0, ""),
    "no such repository": ("echo 'pull access denied, repository does not exist' >&2; exit 1", "exit 0", 0, ""),
    "no answer": ("echo 'dial tcp: i/o timeout' >&2; exit 1", "exit 0", 1, None),
    "too many requests": ("echo 'toomanyrequests: rate limit' >&2; exit 1", "exit 0", 1, None),
}


@pytest.mark.parametrize("case", KNOWN)
def test_only_what_this_workflow_signed_is_taken_as_it_is_and_silence_is_no_empty_registry(tmp_path, case):
    docker, cosign, status, digest = KNOWN[case]
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, words in (("docker", docker), ("cosign", cosign)):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.calls\n{words}\n')
        program.chmod(0o755)
    done, outputs = run(
        step("images", "publish", "known"),
        tmp_path,
        path=programs,
        REFERENCE="docker.io/you/x:1",
        IDENTITY="https://w@refs/heads/main",
    )
    assert done.returncode == status, done.stderr
    assert outputs.get("digest") == digest
    if docker.startswith("echo sha256"):
        assert (tmp_path / "cosign.calls").read_text().startswith(f"verify docker.io/you/x@{DIGEST} ")


def test_what_is_published_is_said_in_the_words_that_the_bump_takes(tmp_path):
    done, _ = run(
        step("images", "publish", "say what was published"),
        tmp_path,
        NAME="serving",
        REFERENCE="docker.io/you/continuous-training-serving:0.1.0-gabc",
        DIGEST=DIGEST,
    )
    assert done.returncode == 0, done.stderr
    name, image = bump.parse_reference((tmp_path / "published/serving").read_text().strip())
    assert (name, image["digest"]) == ("serving", DIGEST)


def publish(clone: Path, *names: str) -> None:
    """What the jobs left of the images that this commit asks for."""
    (clone / "published").mkdir(exist_ok=True)
    for one in outdated.candidates("docker.io/you/continuous-training-", clone):
        if one.name in names:
            (clone / "published" / one.name).write_text(f"{one.name}={one.reference}@{DIGEST}\n")


@pytest.fixture
def deployment(clone, tmp_path):
    """A clone of a bare `main` as the job `bump` has it, and the words of its last step with the bare one as GitHub."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(clone), str(bare)], check=True, capture_output=True)
    own = tmp_path / "own"
    subprocess.run(["git", "clone", "--quiet", str(bare), str(own)], check=True, capture_output=True)
    words = step("images", "bump", "commit and push").replace(
        "https://x-access-token:$TOKEN@github.com/$REPOSITORY.git", str(bare)
    )
    return bare, own, words


GIVEN = {"TOKEN": "x", "REPOSITORY": "you/x", "PREFIX": "docker.io/you/continuous-training-"}


def deployed(bare: Path) -> dict[str, dict[str, str]]:
    return bump.read(git(bare, "show", "main:argocd-apps/environments/production/images.yaml"))


def test_what_was_published_is_committed_to_main_and_only_once(deployment):
    bare, own, words = deployment
    publish(own, "serving", "collect")
    done, _ = run(words, own, **GIVEN)
    assert done.returncode == 0, done.stderr
    assert {name: image["digest"] for name, image in deployed(bare).items()} == {"collect": DIGEST, "serving": DIGEST}
    assert git(bare, "log", "-1", "--format=%an", "main") == "continuous-training deploy"
    head = git(bare, "rev-parse", "main")
    done, _ = run(words, own, **GIVEN)
    assert (done.returncode, git(bare, "rev-parse", "main")) == (0, head)
    assert "asks for none" in done.stdout


def test_an_old_run_that_is_repeated_takes_nothing_back(deployment):
    bare, own, words = deployment
    publish(own, "serving", "collect")
    commit(own, "serving/ct_serving/app.py")
    git(own, "push", "--quiet", "origin", "HEAD:main")
    done, _ = run(words, own, **GIVEN)
    assert done.returncode == 0, done.stderr
    assert set(deployed(bare)) == {"collect"}


def test_the_weekly_scan_looks_at_what_production_runs(tmp_path):
    file = tmp_path / "argocd-apps/environments/production/images.yaml"
    file.parent.mkdir(parents=True)
    words = step("scan", "deployed", "deployed")
    file.write_text(bump.write({}))
    assert run(words, tmp_path)[1] == {"images": "[]"}
    image = {"repository": "docker.io/you/continuous-training-data-source", "tag": "1", "digest": DIGEST}
    file.write_text(bump.write({"data-source": image}))
    done, outputs = run(words, tmp_path)
    assert done.returncode == 0, done.stderr
    reference = f"docker.io/you/continuous-training-data-source:1@{DIGEST}"
    assert json.loads(outputs["images"]) == [{"name": "data-source", "reference": reference}]


@pytest.mark.parametrize(("tag", "status"), [("v{}", 0), ("v9.9.9", 1), ("{}", 0), ("v{}1", 1)])
def test_a_release_has_the_version_of_its_tag(tag, status):
    version = (ROOT / "provider/continuous_training/version.py").read_text().split('"')[-2]
    words = step("release", "build", "the tag is the release")
    done = subprocess.run(
        ["bash", "-e", "-c", words], cwd=ROOT, env={**os.environ, "TAG": tag.format(version)}, capture_output=True, check=False
    )
    assert done.returncode == status


def test_a_release_is_a_commit_of_main(deployment):
    _, own, _ = deployment
    words = step("release", "build", "the tag is on main")
    assert run(words, own)[0].returncode == 0
    git(own, "checkout", "--quiet", "-b", "elsewhere")
    commit(own, "README.md")
    assert run(words, own)[0].returncode == 1
