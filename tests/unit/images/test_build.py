from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from task_images import build  # noqa: E402

pytestmark = pytest.mark.unit

COLLECT = build.read_manifest()["collect"]


def git(clone: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "-C", str(clone), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "kept").write_text("one\n")
    git(tmp_path, "add", "kept")
    git(tmp_path, "commit", "--message", "first")
    return tmp_path


def test_the_tag_of_a_commit_names_the_release_and_the_commit(clone):
    commit = build.revision(clone)
    assert len(commit) == 40
    assert build.default_tag("0.1.0", commit) == f"0.1.0-g{commit[:12]}"


def test_every_difference_from_a_commit_has_a_tag_of_its_own(clone):
    seen = {build.revision(clone)}
    for change in ("two", "three"):
        (clone / "kept").write_text(change)
        seen.add(build.revision(clone))
    for content in ("four", "five"):
        (clone / "new").write_text(content)
        seen.add(build.revision(clone))
    assert len(seen) == 5
    assert build.revision(clone) == build.revision(clone)
    head, difference = build.revision(clone).split("-")
    assert build.default_tag("0.1.0", f"{head}-{difference}") == f"0.1.0-g{head[:12]}-{difference}"


def test_ignored_files_are_no_difference(clone):
    (clone / ".gitignore").write_text("cache\n")
    git(clone, "add", ".gitignore")
    git(clone, "commit", "--message", "second")
    before = build.revision(clone)
    (clone / "cache").write_text("anything")
    assert build.revision(clone) == before


def test_outside_of_a_clone_the_error_says_what_to_give(tmp_path):
    with pytest.raises(build.BuildError, match="Give --tag and --revision"):
        build.revision(tmp_path)


def test_the_release_is_the_provider_s():
    version = ROOT / "provider" / "continuous_training" / "version.py"
    assert f'"{build.release()}"' in version.read_text()


def test_names_have_hyphens_and_the_prefix():
    assert (
        build.read_manifest()["data_source"].reference("registry.example.org/x/", "1") == "registry.example.org/x/data-source:1"
    )


def test_docker_is_called_with_the_dockerfile_the_base_and_what_the_labels_say():
    assert build.build_command(COLLECT, "collect:1", "other:1", "0.1.0", "abc") == [
        "docker", "build", "--file", "task_images/collect/Dockerfile",
        "--build-arg", "VERSION=0.1.0", "--build-arg", "REVISION=abc", "--build-arg", "BASE_IMAGE=other:1",
        "--tag", "collect:1", ".",
    ]  # fmt: skip
    assert "BASE_IMAGE" not in " ".join(build.build_command(COLLECT, "collect:1", None, "0.1.0", "abc"))


def test_the_table_marks_what_is_heavier_than_was_promised():
    assert COLLECT.megabytes == 80
    light, heavy = (build.Built(COLLECT, "collect:1", 200_000_000, added, 5.0) for added in (80_000_000, 80_000_001))
    rows = build.table([light, heavy]).splitlines()[2:]
    assert [row.split("|")[3:5] for row in rows] == [[" 80.0 ", " 80 "], [" 80.0 ", " 80 **exceeded** "]]


def test_latest_is_no_tag(capsys):
    with pytest.raises(SystemExit) as ended:
        build.main(["--tag", "latest", "collect"])
    assert ended.value.code == 2
    assert "does not say what is in an image" in capsys.readouterr().err


def test_an_unknown_image_is_refused(capsys):
    with pytest.raises(SystemExit):
        build.main(["no_such_image"])
    assert "no_such_image" in capsys.readouterr().err


def test_without_docker_the_error_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.main(["--tag", "1", "--revision", "abc", "collect"]) == 1
    assert "there is no docker program here. Nothing was built" in capsys.readouterr().err
