"""The Open Inference Protocol: NVIDIA's client and the requests of the specification."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from ct_serving.settings import Settings
from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / "integration" / "serving"), str(ROOT / "local")]

from apps import NAME, served  # noqa: E402
from postgres import free_port  # noqa: E402

pytestmark = pytest.mark.contract


class TwoHundredASquareFoot:
    def predict(self, data):
        if (data["house_size"] == 666).any():
            raise RuntimeError("cannot divide by the devil")
        price = data["house_size"].fillna(1000) * 200
        return {"price": price, "price_low": price * 0.8, "price_high": price * 1.25}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    settings = Settings(spool_directory=tmp_path_factory.mktemp("spool"), reload_seconds=0.1, flush_seconds=0.01)
    with served(settings, TwoHundredASquareFoot(), free_port()) as address:
        yield address


@pytest.fixture
def client(address):
    with triton.InferenceServerClient(address.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def http(address):
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        yield http


def numbers(name, *values, datatype="FP64", kind=np.float64, binary=True):
    tensor = triton.InferInput(name, [len(values), 1], datatype)
    tensor.set_data_from_numpy(np.array(values, dtype=kind).reshape(-1, 1), binary_data=binary)
    return tensor


def test_a_client_learns_what_the_server_and_the_model_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "3")
    assert not client.is_model_ready(NAME, "4")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    described = client.get_model_metadata(NAME)
    assert (described["name"], described["versions"]) == (NAME, ["3"])
    assert {"name": "house_size", "datatype": "FP64", "shape": [-1, 1]} in described["inputs"]
    assert [one["name"] for one in described["outputs"]] == ["price", "price_low", "price_high", "warnings"]


@pytest.mark.parametrize("binary", [True, False])
def test_a_client_gets_the_prices_of_predict(client, http, binary):
    sizes, zips = (920.0, 2400.0, np.nan), np.array([["00601"], ["94110"], [""]], dtype=object)
    text = triton.InferInput("zip_code", [3, 1], "BYTES")
    text.set_data_from_numpy(zips, binary_data=binary)
    # NaN is no JSON: a client that sends JSON leaves an unknown field out or sends null.
    sizes = sizes if binary else (920.0, 2400.0, 1000.0)
    wanted = [
        triton.InferRequestedOutput(name, binary_data=binary) for name in ("price", "price_low", "price_high", "warnings")
    ]
    for outputs in (wanted, None):
        answer = client.infer(NAME, [numbers("house_size", *sizes, binary=binary), text], outputs=outputs, request_id="7")
        assert answer.as_numpy("price").tolist() == [[184_000.0], [480_000.0], [200_000.0]]
        assert answer.as_numpy("price_high").tolist() == [[230_000.0], [600_000.0], [250_000.0]]
        response = answer.get_response()
        assert (response["id"], response["model_name"], response["model_version"]) == ("7", NAME, "3")
    rows = [{"house_size": 920, "zip_code": "00601"}, {"house_size": 2400, "zip_code": "94110"}, {}]
    same = http.post("/predict", json={"instances": rows}).json()["predictions"]
    assert [row["price"] for row in same] == answer.as_numpy("price").ravel().tolist()
    assert [json.loads(one) for one in answer.as_numpy("warnings").ravel()][:2] == [row["warnings"] for row in same][:2]


def test_numbers_of_any_type_and_a_version_are_understood(client):
    for datatype, kind in (("INT32", np.int32), ("UINT16", np.uint16), ("FP16", np.float16), ("FP32", np.float32)):
        answer = client.infer(NAME, [numbers("house_size", 1000, datatype=datatype, kind=kind)], model_version="3")
        assert answer.as_numpy("price").tolist() == [[200_000.0]]


@pytest.mark.parametrize(
    ("name", "version", "tensor", "words"),
    [("other", "", ("house_size", 1), "there is no model 'other'"), (NAME, "4", ("house_size", 1), "version '4' is not loaded"),
     (NAME, "", ("bed", -1), "row 0, bed: Input should be greater than or equal to 0; a number from 0 to 1000"),
     (NAME, "", ("colour", 1), "there is no input 'colour'"), (NAME, "", ("house_size", 666), "cannot divide by the devil")],
)  # fmt: skip
def test_a_client_is_told_what_is_wrong(client, name, version, tensor, words):
    with pytest.raises(InferenceServerException, match=words):
        client.infer(name, [numbers(*tensor)], model_version=version)


def test_the_request_of_the_specification_is_refused_for_its_names_and_ours_in_its_form_is_answered(http):
    """The example of the protocol's HTTP/REST document, then the same form with this model's names."""
    example = {
        "id": "42",
        "inputs": [
            {"name": "input0", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 3, 4]},
            {"name": "input1", "shape": [3], "datatype": "BOOL", "data": [True]},
        ],
        "outputs": [{"name": "output0"}],
    }
    refused = http.post(f"/v2/models/{NAME}/infer", json=example)
    assert refused.status_code == 400
    assert set(refused.json()) == {"error"}
    ours = {
        "id": "42",
        "inputs": [{"name": "house_size", "shape": [2], "datatype": "UINT32", "data": [1000, 2000]}],
        "outputs": [{"name": "price"}],
    }
    answer = http.post(f"/v2/models/{NAME}/infer", json=ours)
    assert answer.status_code == 200
    body = answer.json()
    assert body["outputs"] == [{"name": "price", "shape": [2], "datatype": "FP64", "data": [200_000.0, 400_000.0]}]
    assert (body["id"], body["parameters"]["request_id"]) == ("42", answer.headers["X-Request-ID"])
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert http.get(f"/v2/models/{NAME}/versions/3/ready").json() == {"name": NAME, "ready": True}
    assert http.get("/v2/no such thing").json() == {"error": "Not Found"}


def test_inferences_and_their_refusals_are_on_record(tmp_path, database_url, serving_url):
    import psycopg

    settings = Settings(database_url=serving_url, spool_directory=tmp_path, reload_seconds=0.1, flush_seconds=0.01)
    port = free_port()
    with served(settings, TwoHundredASquareFoot(), port), triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        good = client.infer(NAME, [numbers("house_size", 1000, 2000)]).get_response()["parameters"]["request_id"]
        for wrong in (numbers("bed", 3, -1), numbers("colour", 1)):
            with pytest.raises(InferenceServerException):
                client.infer(NAME, [wrong])
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT request_id::text, row_number, status, http_status, model_version, price, input FROM raw.inferences "
            "ORDER BY received_at, row_number"
        ).fetchall()
    assert rows[:2] == [
        (good, 0, "ok", 200, "3", 200_000, {"house_size": 1000}),
        (good, 1, "ok", 200, "3", 400_000, {"house_size": 2000}),
    ]
    assert [row[1:6] for row in rows[2:]] == [
        (0, "invalid", 400, "3", None),
        (1, "invalid", 400, "3", None),
        (0, "invalid", 400, "3", None),
    ]
    assert [row[6] for row in rows[2:4]] == [{"bed": 3}, {"bed": -1}]
