from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

from local.settings import SECRETS, Settings, SettingsError, Stream, write_private

pytestmark = pytest.mark.unit


def test_a_new_state_has_ports_and_a_secret_for_each_user(tmp_path):
    settings = Settings.open(tmp_path / "state", Stream(), "strict")
    assert set(SECRETS) < set(settings.secrets)
    assert len(set(settings.secrets.values())) == len(settings.secrets)
    assert all(len(secret) >= 20 for secret in settings.secrets.values())
    assert not (tmp_path / "state").exists(), "opening changes nothing, saving does"


def test_secrets_and_stream_survive_and_the_policy_may_change(tmp_path):
    first = Settings.open(tmp_path, Stream(scale=2, day=None), "strict")
    first.save()
    second = Settings.open(tmp_path, Stream(scale=2, day=None), "lenient")
    assert second.secrets == first.secrets
    assert second.stream == first.stream
    assert second.policy == "lenient"


def test_the_file_is_for_its_owner_only(tmp_path):
    Settings.open(tmp_path, Stream(), "strict").save()
    file = tmp_path / "settings.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(SECRETS) <= set(json.loads(file.read_text())["secrets"])
    assert "secrets" not in repr(Settings.load(tmp_path))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (Stream(scale=20), "SCALE was 10 and is now 20"),
        (Stream(seed=7), "SEED was 0 and is now 7"),
        (Stream(source_url="http://source:8000"), "SOURCE_URL was not set and is now http://source:8000"),
        (Stream(day=None), "DAY was Tuesday and is now not set"),
    ],
)
def test_another_stream_is_refused_with_the_way_out(tmp_path, changed, words):
    Settings.open(tmp_path, Stream(), "strict").save()
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(SettingsError, match="make clean") as caught:
        Settings.open(tmp_path, changed, "strict")
    assert words in str(caught.value)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_another_listings_file_is_another_stream(tmp_path):
    file = tmp_path / "listings.csv"
    file.write_text("price\n")
    Settings.open(tmp_path / "state", Stream(), "strict").save()
    with pytest.raises(SettingsError, match="LISTINGS was not set and is now"):
        Settings.open(tmp_path / "state", Stream(listings=str(file)), "strict")


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (Stream(scale=0.99), "SCALE=0.99"),
        (Stream(seed=-1), "SEED=-1"),
        (Stream(scale=101), "SCALE=101"),
        (Stream(scale=float("nan")), "SCALE=nan"),
        (Stream(listings="/nowhere/listings.csv"), "LISTINGS=/nowhere/listings.csv is not a file"),
        (Stream(listings="a.csv", source_url="http://x"), "one of the two"),
        (Stream(source_url="source:8000"), "http://"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path, stream, words):
    with pytest.raises(SettingsError, match=words):
        Settings.open(tmp_path, stream, "strict")


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', '{"format": 99, "stream": {}}'])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(SettingsError, match="make clean"):
        Settings.load(tmp_path)


def test_a_private_file_is_replaced_whole_whatever_was_left_before(tmp_path):
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o644)
    (tmp_path / ".x.new").write_text("left by a crash")
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_shell_gets_what_running_a_step_by_hand_takes_and_nobody_else_can_read_it(tmp_path):
    from local.by_hand import write_variables

    settings = Settings.open(tmp_path, Stream(), "strict")
    file = write_variables(settings)
    assert file.stat().st_mode & 0o777 == 0o600
    script = f". {file} && env"
    told = subprocess.run(["sh", "-c", script], env={"PATH": os.defpath}, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    assert found["CT_AIRFLOW_PASSWORD"] == settings.secrets["airflow_admin"]
    assert found["CT_DATABASE_URL"] == settings.database_url("continuous_training", "pipeline", "pipeline")
    assert found["CT_ADMIN_DATABASE_URL"].startswith("postgresql://ct_owner:")
    assert found["PATH"].endswith(f":{os.defpath}")
