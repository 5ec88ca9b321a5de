from __future__ import annotations

import re

import pytest

from local import environments, stack

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", sorted(environments.PACKAGES))
def test_an_environment_is_pinned_by_hash_and_names_no_index(name):
    text = (environments.ROOT / "requirements" / f"{name}.txt").read_text()
    requirements = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
    assert requirements
    assert all(re.match(r"^[\w.\-]+(\[[\w,\-]+\])?==\S+", line) for line in requirements)
    assert text.count("--hash=sha256:") >= len(requirements)
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", sorted(environments.PACKAGES))
def test_an_environment_s_packages_exist(name):
    for package in environments.PACKAGES[name]:
        assert (environments.package_directory(package) / "pyproject.toml").is_file()


def test_every_step_has_an_environment_of_its_own():
    assert set(stack.STEPS) <= set(environments.PACKAGES)


def test_a_changed_requirement_changes_the_fingerprint(tmp_path, monkeypatch):
    before = environments.fingerprint("local")
    assert environments.fingerprint("local") == before
    (tmp_path / "requirements").mkdir()
    file = tmp_path / "requirements" / "local.txt"
    file.write_bytes((environments.ROOT / "requirements" / "local.txt").read_bytes())
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    moved = environments.fingerprint("local")
    assert moved != before, "an environment knows the place of its clone"
    file.write_text(file.read_text() + "\n")
    assert environments.fingerprint("local") != moved


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / ".fingerprint").write_text(environments.fingerprint("local"))
    assert environments.make("local", "/no/such/uv") == "local: up to date"


def test_a_failing_installer_is_told_with_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path)
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no such index' >&2\nexit 3\n")
    uv.chmod(0o755)
    with pytest.raises(RuntimeError, match="ended with 3:\nno such index"):
        environments.make("local", str(uv))
    assert not (tmp_path / "local" / ".fingerprint").exists()
