"""The charts' own jobs: the bucket on a real S3 protocol, the secrets on the API server's protocol."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
BUCKET = ROOT / "helm/object-store/files/bucket.py"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load(ROOT / "helm/secrets/files/generate.py")


@pytest.fixture
def store(monkeypatch):
    """An S3 server and a client of it; the environment is that of the job."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    yield client
    server.stop()


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(BUCKET), *arguments], capture_output=True, text=True, check=False, env=os.environ.copy()
    )


def test_the_bucket_is_made_once_and_comes_back_when_it_was_deleted(store):
    given = ("models", "--versioning", "--abort-uploads-after-days=7")
    assert run(*given).stdout == "bucket models: made\n"
    store.put_object(Bucket="models", Key="kept", Body=b"1")
    assert run(*given).stdout == "bucket models: there already\n"
    assert store.get_object(Bucket="models", Key="kept")["Body"].read() == b"1"
    assert store.get_bucket_versioning(Bucket="models")["Status"] == "Enabled"
    [rule] = store.get_bucket_lifecycle_configuration(Bucket="models")["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    for version in store.list_object_versions(Bucket="models")["Versions"]:
        store.delete_object(Bucket="models", Key=version["Key"], VersionId=version["VersionId"])
    store.delete_bucket(Bucket="models")
    assert run(*given).stdout == "bucket models: made\n"


def test_a_store_that_never_answers_is_an_error(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    done = run("models", "--patience=1")
    assert done.returncode == 1
    assert "Could not connect" in done.stderr


class Secrets(BaseHTTPRequestHandler):
    """The API server's protocol for secrets, as far as the job speaks it, with what its role may not do refused."""

    kept: dict[tuple[str, str], dict[str, str]]

    def _answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self):
        assert self.headers["Authorization"] == "Bearer the-token"
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")

    def do_GET(self):
        self._body()
        *_, namespace, _, name = self.path.split("/")
        data = self.kept.get((namespace, name))
        if data is None:
            self._answer(404, {"reason": "NotFound"})
        else:
            self._answer(200, {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}})

    def do_POST(self):
        body = self._body()
        place = (self.path.split("/")[-2], body["metadata"]["name"])
        if place in self.kept:
            self._answer(409, {"reason": "AlreadyExists"})
        else:
            self.kept[place] = body["stringData"]
            self._answer(201, {})

    def do_PATCH(self):
        body = self._body()
        *_, namespace, _, name = self.path.split("/")
        self._answer(403, {}) if name != "passwords" else self.kept[namespace, name].update(body["stringData"]) or self._answer(
            200, {}
        )

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster(tmp_path):
    """A job's view of a cluster, and what the cluster keeps."""
    kept: dict[tuple[str, str], dict[str, str]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Secrets,), {"kept": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text("the-token")
    yield generate.Cluster(f"http://127.0.0.1:{server.server_port}", "platform", tmp_path), kept
    server.shutdown()
    server.server_close()


TABLE = {"a": {"url": "x://u:{one}@h/d", "plain": "k"}, "tasks/b": {"url": "{one}:{two}"}}


def test_missing_secrets_are_made_and_the_next_time_nothing_is(cluster):
    client, kept = cluster
    assert generate.generate(client, TABLE) == ["passwords", "a", "tasks/b"]
    passwords = kept["platform", "passwords"]
    assert len(passwords["one"]) >= 32
    assert passwords["one"] != passwords["two"]
    assert kept["platform", "a"] == {"url": f"x://u:{passwords['one']}@h/d", "plain": "k"}
    assert kept["tasks", "b"] == {"url": f"{passwords['one']}:{passwords['two']}"}
    before = json.dumps([*kept.values()])
    assert generate.generate(client, TABLE) == []
    assert json.dumps([*kept.values()]) == before


def test_a_secret_that_was_removed_comes_back_with_the_same_password(cluster):
    client, kept = cluster
    generate.generate(client, TABLE)
    removed = kept.pop(("platform", "a"))
    assert generate.generate(client, TABLE) == ["a"]
    assert kept["platform", "a"] == removed


def test_what_somebody_made_by_hand_stays(cluster):
    client, kept = cluster
    kept["platform", "a"] = {"url": "mine"}
    generate.generate(client, TABLE)
    assert kept["platform", "a"] == {"url": "mine"}


def test_a_newer_release_adds_its_password_and_changes_none(cluster):
    client, kept = cluster
    generate.generate(client, TABLE)
    before = dict(kept["platform", "passwords"])
    assert generate.generate(client, TABLE | {"c": {"x": "{three}"}}) == ["passwords/three", "c"]
    assert {name: value for name, value in kept["platform", "passwords"].items() if name != "three"} == before


def test_a_fernet_key_is_one():
    assert len(base64.urlsafe_b64decode(generate.password("fernet"))) == 32
    assert generate.password("other") != generate.password("other")
