"""What the OpenAPI document promises, the API does: every answer is validated against the document."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jsonschema
import pandas as pd
import pytest
from ct_serving.app import create_app
from ct_serving.model_holder import LoadedModel
from ct_serving.registry import ModelVersion
from ct_serving.schemas import EXAMPLE, MAX_BODY_BYTES
from ct_serving.settings import Settings
from fastapi.testclient import TestClient

pytestmark = pytest.mark.contract


class OneModel:
    """A registry whose alias names one version, or none. A home of 666 square feet breaks its model."""

    def __init__(self, version: str | None) -> None:
        self._version = version

    def version(self) -> ModelVersion | None:
        return None if self._version is None else ModelVersion("house-prices", self._version, "production", "r", {"a": "b"}, "")

    def load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel("house-prices", version.version, "production", "r", self, datetime.now(UTC), tags=version.tags)

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        if (data["house_size"] == 666).any():
            raise RuntimeError("cannot divide by the devil")
        price = data["house_size"].fillna(1000) * 200
        return pd.DataFrame({"price": price, "price_low": price * 0.8, "price_high": price * 1.25})


def _client(tmp_path: Path, version: str | None, token: str = "") -> Iterator[TestClient]:
    settings = Settings(spool_directory=tmp_path, reload_seconds=0.1, flush_seconds=0.01, admin_token=token)
    app = create_app(settings, OneModel(version))
    with TestClient(app) as client:
        deadline = time.monotonic() + 10
        while version is not None and app.state.service.holder.current is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    yield from _client(tmp_path, "3", "secret")


@pytest.fixture
def client_without_model(tmp_path: Path) -> Iterator[TestClient]:
    yield from _client(tmp_path, None)


def check(client: TestClient, answer: Any, path: str, method: str = "post") -> Any:
    """The answer's body, which must be as the document says for its status."""
    document = client.get("/openapi.json").json()
    described = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in described, (answer.status_code, sorted(described))
    schema = described[str(answer.status_code)]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    return answer.json()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (EXAMPLE, 200), ({}, 200), ({"instances": [EXAMPLE, {"bed": -1}, {"house_size": 666}, 5]}, 200), ({"bed": -1}, 422),
        ({"instances": []}, 422), ([], 422), ({"house_size": 666}, 500), ({"instances": [{"house_size": 1000}] * 1000}, 200),
    ],
)  # fmt: skip
def test_predict_answers_as_documented(client, body, status):
    answer = client.post("/predict", json=body)
    assert answer.status_code == status
    content = check(client, answer, "/predict")
    assert UUID(content["request_id"]) == UUID(answer.headers["x-request-id"])


def test_errors_are_by_row_and_do_not_hurt_the_others(client):
    rows = client.post("/predict", json={"instances": [EXAMPLE, {"bed": -1}, {"house_size": 666}, 5]}).json()["predictions"]
    assert [row["price"] for row in rows] == [184_000, None, None, None]
    assert [row["error"] and row["error"]["detail"][0]["field"] for row in rows] == [None, "bed", "model", "body"]


def test_without_a_model_nothing_else_is_hurt(client_without_model):
    client = client_without_model
    assert check(client, client.post("/predict", json=EXAMPLE), "/predict")["detail"][0]["field"] == "model"
    assert client.post("/predict", json={"bed": -1}).status_code == 422
    assert check(client, client.get("/health/live"), "/health/live", "get") == {"status": "live"}
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert check(client, ready, "/health/ready", "get")["status"] == "not ready"
    model = client.get("/model")
    assert model.status_code == 503
    check(client, model, "/model", "get")
    assert client.post("/admin/reload", headers={"Authorization": "Bearer x"}).status_code == 404


def test_the_other_routes_answer_as_documented(client):
    assert check(client, client.get("/health/ready"), "/health/ready", "get")["model"]["version"] == "3"
    assert check(client, client.get("/model"), "/model", "get")["tags"] == {"a": "b"}
    reload = client.post("/admin/reload", headers={"Authorization": "Bearer secret"})
    assert check(client, reload, "/admin/reload")["result"] == "unchanged"
    assert client.post("/admin/reload").status_code == 401
    assert client.post("/admin/reload", headers={"Authorization": "Bearer Secret"}).status_code == 403


def test_the_examples_of_the_document_are_valid(client):
    document = client.get("/openapi.json").json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]}).validate(example["value"])
        assert client.post("/predict", json=example["value"]).status_code == 200


def test_the_request_id_is_the_clients_if_it_is_a_uuid(client):
    mine = uuid4()
    for given in (str(mine), mine.hex, str(mine).upper()):
        assert client.post("/predict", json={}, headers={"X-Request-ID": given}).json()["request_id"] == str(mine)
    other = client.post("/predict", json={}, headers={"X-Request-ID": "order 66"}).json()["request_id"]
    assert UUID(other) != mine
    assert client.get("/health/live").headers["x-request-id"]


def test_a_body_beyond_the_cap_is_refused(client):
    answer = client.post("/predict", content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    check(client, answer, "/predict")


def test_metrics_have_the_documented_names_and_bounded_labels(client):
    client.post("/predict", json={"zip_code": "99999", "no such field": 1})
    for path in ("/secret/00601", "/predict/5", "/health/nothing"):
        client.get(path)
    client.request("BREW", "/predict")
    text = client.get("/metrics").text
    for name in ("http_requests_total", "http_request_duration_seconds_bucket", "ct_model_info", "ct_model_reload_total",
                 "ct_model_loaded_timestamp_seconds", "ct_model_reload_duration_seconds_count", "ct_predictions_total",
                 "ct_prediction_price_usd_bucket", "ct_prediction_interval_ratio_bucket", "ct_input_warnings_total",
                 "ct_inference_log_queue_size", "ct_inference_log_spooled_rows", "ct_inference_log_dropped_total",
                 "process_resident_memory_bytes"):  # fmt: skip
        assert f"\n{name}" in text, name
    assert 'ct_predictions_total{role="primary",version="3"} 1.0' in text
    assert 'http_requests_total{handler="/predict",method="POST",status="200"} 1.0' in text
    assert 'http_requests_total{handler="other",method="GET",status="404"} 3.0' in text
    assert 'method="OTHER"' in text
    for unbounded in ("00601", "99999", "no such field", "BREW", "/predict/5"):
        assert not any(unbounded in label for label in re.findall(r'"([^"]*)"', text))


def test_every_operation_has_examples_that_are_valid(client):
    document = client.get("/openapi.json").json()
    seen = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            contents = [answer.get("content", {}).get("application/json") for answer in operation["responses"].values()]
            for status in ("200", "422"):
                answer = operation["responses"].get(status, {}).get("content", {})
                assert path == "/metrics" or "application/json" not in answer or "example" in answer["application/json"], path
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            for content in filter(None, [*contents, body]):
                examples = [content["example"]] if "example" in content else []
                examples += [one["value"] for one in content.get("examples", {}).values()]
                for example in examples:
                    seen += 1
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema.Draft202012Validator(schema).validate(example)
    assert seen > 25
