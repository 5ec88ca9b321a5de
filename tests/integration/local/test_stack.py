"""The core of the one-machine stack for real: PostgreSQL under the process manager, users and rights, start, stop, restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from local.settings import Settings

ROOT = Path(__file__).resolve().parents[3]

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture
def state():
    directory = Path(tempfile.mkdtemp(prefix="ct stack 100% "))
    directory.chmod(0o755)
    yield directory / "state"
    subprocess.run(command("clean", directory / "state"), cwd=ROOT, check=True, capture_output=True)
    shutil.rmtree(directory)


def command(verb, state, *options):
    return [str(ROOT / ".envs" / "local" / "bin" / "python"), "-m", "local", verb, "--state", str(state), *options]


class Running:
    """A start of the stack in the background, up to the line that says that everything is there."""

    def __init__(self, state, *options, cwd=ROOT, prefix=(), arguments=None):
        self.file = state.parent / f"output-{time.monotonic_ns()}"
        arguments = arguments or command("up", state, "--only", "schema", *options)
        with self.file.open("wb") as output:
            self.process = subprocess.Popen([*prefix, *arguments], cwd=cwd, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 240
        while "Ctrl-C stops everything" not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def text(self):
        return self.file.read_text()

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(60)


def processes_of(state):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes() + bytes((entry / "cwd").readlink())
            if str(state).encode() in words:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_until_nothing_runs(state, seconds=60):
    deadline = time.monotonic() + seconds
    while processes_of(state):
        assert time.monotonic() < deadline, processes_of(state)
        time.sleep(0.1)


def connect(settings, user, secret, database="continuous_training"):
    return psycopg.connect(settings.database_url(database, user, secret), autocommit=True)


def test_users_have_their_rights_and_no_others_and_a_second_start_keeps_the_data(state):
    first = Running(state)
    settings = Settings.load(state)
    assert settings.secrets["dashboard"] in first.text(), "credentials are printed"
    with connect(settings, "ct_owner", "owner") as owner:
        owner.execute("CREATE TABLE public.kept AS SELECT 42 AS answer")
    with connect(settings, "serving", "serving") as serving:
        given = serving.execute("SELECT outcome FROM raw.give_feedback(gen_random_uuid(), 0, 1, 'sale', NULL, false)")
        assert given.fetchone() == ("unknown_request",)
        for forbidden in ("SELECT * FROM raw.listings", "INSERT INTO raw.feedback (request_id, actual_price) SELECT NULL, 1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                serving.execute(forbidden)
    with connect(settings, "dashboard", "dashboard") as dashboard:
        assert dashboard.execute("SELECT count(*) FROM audit.history").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            dashboard.execute("DELETE FROM clean.listings")
    with connect(settings, "pipeline", "pipeline") as pipeline:
        pipeline.execute("INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r', 'data', 'u')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            pipeline.execute("DELETE FROM audit.decisions")
    for user in ("serving", "dashboard", "pipeline"):
        for database in ("airflow", "mlflow"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                connect(settings, user, user, database)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(settings.database_url("continuous_training", "dashboard", "serving"))
    assert first.end() == 0
    assert not processes_of(state)

    second = Running(state)
    again = Settings.load(state)
    assert again.ports == settings.ports
    assert again.secrets == settings.secrets
    with connect(again, "ct_owner", "owner") as owner:
        assert owner.execute("SELECT answer FROM public.kept").fetchone() == (42,)
    assert second.end(signal.SIGTERM) == 0
    assert not processes_of(state)


def test_it_listens_on_this_machine_only_and_postgres_is_an_ordinary_user(state):
    running = Running(state)
    settings = Settings.load(state)
    with connect(settings, "postgres", "postgres", "postgres") as administrator:
        assert administrator.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        pid = administrator.execute("SELECT pg_backend_pid()").fetchone()[0]
        assert Path(f"/proc/{pid}").stat().st_uid != 0
    hexadecimal = f"{settings.ports['postgres']:04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{hexadecimal}")] == [f"0100007F:{hexadecimal}"]
    private = [state / "settings.json", state / "supervisord.conf", *(state / "programs").iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}
    for secret in settings.secrets.values():
        assert not [line for line in processes_of(state) if secret in line], "secrets never stand in a command line"
    assert running.end() == 0


def test_a_killed_start_leaves_nothing_running_and_the_next_one_goes_on(state):
    first = Running(state)
    settings = Settings.load(state)
    with connect(settings, "ct_owner", "owner") as owner:
        owner.execute("CREATE TABLE public.kept AS SELECT 42 AS answer")
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = Running(state)
    settings = Settings.load(state)
    with connect(settings, "ct_owner", "owner") as owner:
        assert owner.execute("SELECT answer FROM public.kept").fetchone() == (42,)
    keeper = int((state / "keeper.pid").read_text())
    os.kill(keeper, signal.SIGKILL)
    second.end(signal.SIGKILL)
    wait_until_nothing_runs(state)


def test_a_second_start_in_one_state_is_refused_and_stop_ends_the_first(state):
    first = Running(state)
    refused = subprocess.run(command("up", state, "--once"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "already runs" in refused.stderr
    assert "make stop" in refused.stderr
    assert first.process.poll() is None
    stopped = subprocess.run(command("stop", state), cwd=ROOT, capture_output=True, text=True, check=True)
    assert "stopped" in stopped.stdout
    assert first.process.wait(20) == 0
    assert not processes_of(state)
    again = subprocess.run(command("stop", state), cwd=ROOT, capture_output=True, text=True, check=True)
    assert "nothing was running" in again.stdout


def test_another_stream_is_refused_and_clean_makes_room_for_it(state):
    Settings.open(state, stream_of_scale(10), "strict").save()
    options = ("--once", "--only", "schema", "--scale", "2")
    refused = subprocess.run(command("up", state, *options), cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "SCALE was 10 and is now 2." in refused.stderr
    assert "make clean" in refused.stderr
    subprocess.run(command("clean", state), cwd=ROOT, check=True, capture_output=True)
    assert not state.exists()
    done = subprocess.run(command("up", state, *options), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def stream_of_scale(scale):
    from local.settings import Stream

    return Stream(scale=scale)


def test_clean_removes_nothing_that_is_not_a_state(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    refused = subprocess.run(command("clean", tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def ordinary_python():
    for name in ("python3.11", "/usr/bin/python3.11", "/usr/local/bin/python3.11", "/usr/bin/python3.12"):
        probe = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            name,
            "-c",
            "import sys, venv; print(sys.executable)",
        ]
        try:
            done = subprocess.run(probe, capture_output=True, text=True, check=False, cwd="/")
        except OSError:
            return None
        if done.returncode == 0 and done.stdout.startswith("/"):
            return done.stdout.strip()
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_starts_the_same_from_a_clone_of_their_own(tmp_path_factory):
    python = ordinary_python()
    if python is None:
        pytest.skip("no Python 3.11 that an ordinary user may run")
    home = Path(tempfile.mkdtemp(prefix="ct-home-"))
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for name in listed:
            if (ROOT / name).is_file():
                target = home / "clone" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        # uv itself is the same for everybody; this saves a download.
        shutil.copytree(ROOT / ".envs" / "uv", home / "clone" / ".envs" / "uv", symlinks=True)
        subprocess.run(["chown", "-R", "65534:65534", str(home)], check=True)
        user = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "env",
            f"HOME={home}",
            f"UV_CACHE_DIR={home}/cache",
        ]
        clone = home / "clone"
        uv = ["--uv", str(clone / ".envs" / "uv" / "bin" / "uv")]
        subprocess.run([*user, python, "local/environments.py", *uv, "local", "store"], cwd=clone, check=True)
        state = clone / ".state"
        arguments = [str(clone / ".envs" / "local" / "bin" / "python"), "-m", "local", "up", "--only", "schema"]
        running = Running(state, cwd=clone, prefix=user, arguments=arguments)
        kept = json.loads((state / "settings.json").read_text())
        url = f"postgresql://dashboard:{kept['secrets']['dashboard']}@127.0.0.1:{kept['ports']['postgres']}/continuous_training"
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM audit.history").fetchone() == (0,)
            pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
            assert Path(f"/proc/{pid}").stat().st_uid == 65534
        assert running.end() == 0
        assert not processes_of(state)
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database needs another account")
def test_a_state_that_the_database_s_account_cannot_reach_is_replaced_and_removed(tmp_path):
    state = tmp_path / "home" / "state"
    state.parent.mkdir(mode=0o700)
    running = Running(state)
    directory = Settings.load(state).postgres_directory
    assert not directory.is_relative_to(tmp_path)
    assert (directory / "data" / "PG_VERSION").exists()
    assert running.end() == 0
    subprocess.run(command("clean", state), cwd=ROOT, check=True, capture_output=True)
    assert not state.exists()
    assert not directory.exists()
