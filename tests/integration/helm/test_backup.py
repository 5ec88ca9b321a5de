"""The chart's nightly dump and the restore of docs/operations.md, on real servers: onto the same one and onto a new one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import yaml
from ct_store.setup import PASSWORDS, set_up

from local.postgres import PostgresServer, free_port, new_password

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/unit/helm"))

from rendered import of_kind  # noqa: E402

from tools import run_tool  # noqa: E402

pytestmark = pytest.mark.integration

DATABASES = ("continuous_training", "mlflow", "airflow")


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """The container of the CronJob, as the chart says it."""
    charts = tmp_path_factory.mktemp("charts")
    shutil.copytree(ROOT / "helm/databases", charts / "databases", ignore=shutil.ignore_patterns("charts"))
    shutil.copytree(ROOT / "helm/lib", charts / "databases/charts/lib")
    done = run_tool("helm", "template", "databases", charts / "databases", "--namespace=x")
    assert done.returncode == 0, done.stderr
    [job] = of_kind([one for one in yaml.safe_load_all(done.stdout) if one], "CronJob")
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return container


@pytest.fixture
def servers():
    """Two bare servers: the one that is dumped, and a new one."""
    started = []
    for name in ("old", "new"):
        directory = Path(tempfile.mkdtemp(prefix=f"ct-{name}-"))
        directory.chmod(0o755)
        server = PostgresServer(directory / "server", free_port(), new_password(), {"fsync": "off"})
        server.initialise()
        server.start()
        started.append(server)
    yield started
    for server in started:
        server.stop()
        shutil.rmtree(server.directory.parent, ignore_errors=True)


def clients(server, **other):
    """The environment in which PostgreSQL's programs reach this server."""
    return {
        "PATH": f"{server.binaries}:{os.defpath}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": server.password,
        **other,
    }


def back_up(container, server, directory):
    """Run the CronJob's own words; its volume is a folder here. The names of the dumps."""
    assert {"PGHOST", "PGUSER", "PGPASSWORD"} <= {variable["name"] for variable in container["env"]}
    [script] = container["args"]
    command = [*container["command"], script.replace("/backup", str(directory))]
    done = subprocess.run(command, env=clients(server), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(path.name for path in directory.iterdir())


def documented():
    """The arguments of pg_restore in docs/operations.md, for each database."""
    text = (ROOT / "docs/operations.md").read_text().replace("\\\n", " ")
    [command] = re.findall(r"databases-0 --\s+(pg_restore .*)", text)
    words = shlex.split(command)
    assert words[-1].startswith("/backup/")
    return words


def restore(server, directory, stamp):
    """The command of the documentation, for every database."""
    for database in DATABASES:
        words = [word.replace("continuous_training", database) for word in documented()]
        words[-1] = words[-1].replace("/backup", str(directory)).replace("STAMP", stamp)
        done = subprocess.run(words, env=clients(server), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{database}: {done.stderr}"


def passwords(word):
    return {name: f"{word}-{name}" for name in PASSWORDS}


def fill(server, word):
    """One row that the pipeline wrote, and a table of MLflow's with one row."""
    with psycopg.connect(server.url("continuous_training", "pipeline", f"{word}-pipeline"), autocommit=True) as pipeline:
        pipeline.execute("INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r', 'data', 'http://x')")
    with psycopg.connect(server.url("mlflow", "mlflow", f"{word}-mlflow_database"), autocommit=True) as mlflow:
        mlflow.execute("CREATE TABLE registered_models (name text PRIMARY KEY)")
        mlflow.execute("INSERT INTO registered_models VALUES ('house-prices')")


def whole(server, word):
    """Whether everything is there and everybody may do what they might before."""
    with psycopg.connect(server.url("continuous_training", "pipeline", f"{word}-pipeline"), autocommit=True) as pipeline:
        assert pipeline.execute("SELECT stream, run_id FROM raw.requests").fetchall() == [("s", "r")]
        pipeline.execute("INSERT INTO raw.requests (stream, run_id, kind, url) VALUES ('s', 'r2', 'data', 'http://x')")
    with psycopg.connect(server.url("continuous_training", "dashboard", f"{word}-dashboard"), autocommit=True) as dashboard:
        assert dashboard.execute("SELECT count(*) FROM raw.batches").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            dashboard.execute("DELETE FROM raw.requests")
    with psycopg.connect(server.url("continuous_training", "serving", f"{word}-serving")) as serving:  # noqa: SIM117
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            serving.execute("SELECT * FROM raw.requests")
    with psycopg.connect(server.url("mlflow", "mlflow", f"{word}-mlflow_database"), autocommit=True) as mlflow:
        assert mlflow.execute("SELECT name FROM registered_models").fetchall() == [("house-prices",)]
        mlflow.execute("ALTER TABLE registered_models ADD COLUMN description text")  # only its owner may


def test_a_dump_comes_back_onto_the_same_server_and_onto_a_new_one(container, servers, tmp_path):
    old, new = servers
    directory = tmp_path / "backup"
    directory.mkdir()
    set_up(old.url(), passwords("first"))
    fill(old, "first")
    names = back_up(container, old, directory)
    stamp = re.fullmatch(r"airflow-(\w+)\.dump", names[0])[1]
    assert names == sorted([*(f"{database}-{stamp}.dump" for database in DATABASES), f"roles-{stamp}.sql"])
    assert not re.search(r"SCRAM-SHA-256|PASSWORD '", (directory / f"roles-{stamp}.sql").read_text())

    with psycopg.connect(old.url("continuous_training"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA raw CASCADE")
    with psycopg.connect(old.url("mlflow"), autocommit=True) as connection:
        connection.execute("DELETE FROM registered_models")
    restore(old, directory, stamp)
    whole(old, "first")
    set_up(old.url(), passwords("first"))

    # A new server: its job has made users, databases and tables before the dump is loaded.
    set_up(new.url(), passwords("second"))
    restore(new, directory, stamp)
    whole(new, "second")
    set_up(new.url(), passwords("second"))


def test_a_dump_that_fails_leaves_the_older_ones(container, servers, tmp_path):
    old, _ = servers
    directory = tmp_path / "backup"
    directory.mkdir()
    kept = directory / "airflow-20200101T000000Z.dump"
    kept.write_text("x")
    os.utime(kept, (0, 0))
    with psycopg.connect(old.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE continuous_training")  # and no other: the second dump fails
    [script] = container["args"]
    command = [*container["command"], script.replace("/backup", str(directory))]
    done = subprocess.run(command, env=clients(old), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "mlflow" in done.stderr
    assert kept.exists()
