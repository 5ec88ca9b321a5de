from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from ct_serving.schemas import FIELDS, Property, parse_property
from ct_serving.v2_schemas import INFER_EXAMPLE
from ct_serving.v2_tensors import OUTPUTS, TensorError, input_tensors, read_request, write_answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

HEAD = {"model_name": "m", "model_version": "3"}
PREDICTIONS = [
    {"price": 100.5, "interval": {"low": 90.0, "high": 110.0}, "warnings": []},
    {"price": 200.0, "interval": {"low": 190.0, "high": 210.0}, "warnings": [{"field": "zip_code", "kind": "unseen"}]},
]


def tensor(name="house_size", data=(920, 2400), datatype="FP64", shape=None, **more):
    return {"name": name, "shape": [len(data)] if shape is None else shape, "datatype": datatype, "data": list(data), **more}


def body(*inputs, **more):
    return json.dumps({"inputs": list(inputs), **more}).encode()


def test_tensors_become_rows_that_are_properties():
    request = read_request(json.dumps(INFER_EXAMPLE).encode(), None)
    assert request.rows == [
        {"state": "Puerto Rico", "zip_code": "00601", "house_size": 920},
        {"state": "California", "zip_code": "94110", "house_size": 2400},
    ]
    assert (request.id, request.column) == ("42", True)
    assert all(isinstance(parse_property(row), Property) for row in request.rows)
    assert [one["name"] for one in input_tensors()] == list(FIELDS)


def test_null_nan_and_nested_data_are_understood():
    request = read_request(body(tensor(data=[None, 5]), tensor("bed", [[1], [2]], "INT64", [2, 1])), None)
    assert request.rows == [{"bed": 1}, {"house_size": 5, "bed": 2}]
    assert not request.column


def test_bytes_behind_the_json_are_read_in_the_order_of_the_inputs():
    sizes = np.array([920.0, np.nan], dtype="<f8").tobytes()
    states = b"".join(struct.pack("<I", len(text)) + text for text in (b"Ohio", "Cañón".encode()))
    head = json.dumps(
        {
            "inputs": [
                {"name": "house_size", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": len(sizes)}},
                tensor("bed", [1, 2]),
                {"name": "state", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(states)}},
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    request = read_request(head + sizes + states, len(head))
    assert request.rows == [{"house_size": 920.0, "bed": 1, "state": "Ohio"}, {"bed": 2, "state": "Cañón"}]
    assert request.outputs == [(name, True) for name in OUTPUTS]
    for cut in (1, 9, len(states)):
        with pytest.raises(TensorError):
            read_request((head + sizes + states)[:-cut], len(head))


@pytest.mark.parametrize(
    "wrong",
    [b"", b"{", b"[]", b"{}", b'{"inputs": []}', b'{"inputs": {}}', b'{"inputs": [5]}', body(tensor("price")),
     body(tensor(name=["bed"])), body(tensor(datatype="FP65")), body(tensor(datatype=[])), body(tensor(shape=[2, 2])),
     body(tensor(shape=[3])), body(tensor(shape=[True])), body(tensor(shape=[])), body(tensor(shape="2")),
     body(tensor(data=[], shape=[0])), body(tensor(), tensor()), body(tensor(), tensor("bed", [1])),
     body({"name": "bed", "shape": [1], "datatype": "FP64"}), body(tensor(data=[{}, 1])), body(tensor(data=[[[1]], [2]])),
     body(tensor(parameters=5)), body(tensor(parameters={"binary_data_size": 8})),
     body(tensor(parameters={"binary_data_size": "x"})), body(tensor(), id=5), body(tensor(), outputs=[{"name": "x"}]),
     body(tensor(), outputs={}), body(tensor(), outputs=["price"]),
     body(tensor(), outputs=[{"name": []}]), body(tensor(data=[1] * 1001))],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_words(wrong):
    with pytest.raises(TensorError) as caught:
        read_request(wrong, None)
    assert str(caught.value)


_JSON = st.recursive(st.none() | st.booleans() | st.integers(-5, 1200) | st.floats(allow_nan=False) | st.text(max_size=5)
                     | st.sampled_from([*FIELDS, "FP64", "BYTES"]), lambda part: st.lists(part, max_size=3) | st.dictionaries(
    st.sampled_from(["id", "inputs", "outputs", "name", "shape", "datatype", "data", "parameters", "binary_data_size"]), part),
    max_leaves=25)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_JSON, st.binary(max_size=20), st.none() | st.integers(0, 40))
def test_nothing_but_a_refusal_comes_of_whatever_is_sent(content, blob, length):
    try:
        request = read_request(json.dumps(content).encode() + blob, length)
    except TensorError:
        return
    assert request.rows


def test_the_answer_has_the_shape_of_the_question_and_only_what_was_asked_for():
    request = read_request(json.dumps({**INFER_EXAMPLE, "outputs": [{"name": "price_high"}, {"name": "price"}]}).encode(), None)
    text, length = write_answer(request, PREDICTIONS, HEAD)
    assert length is None
    assert json.loads(text) == {
        **HEAD,
        "id": "42",
        "outputs": [
            {"name": "price_high", "datatype": "FP64", "shape": [2, 1], "data": [110.0, 210.0]},
            {"name": "price", "datatype": "FP64", "shape": [2, 1], "data": [100.5, 200.0]},
        ],
    }
    flat = json.loads(write_answer(read_request(body(tensor()), None), PREDICTIONS, HEAD)[0])
    assert "id" not in flat
    assert [(one["name"], one["shape"]) for one in flat["outputs"]] == [(name, [2]) for name in OUTPUTS]
    assert json.loads(flat["outputs"][3]["data"][1]) == PREDICTIONS[1]["warnings"]


def test_bytes_are_written_behind_the_json():
    outputs = [
        {"name": "price", "parameters": {"binary_data": True}},
        {"name": "warnings", "parameters": {"binary_data": True}},
    ]
    content, length = write_answer(read_request(body(tensor(), outputs=outputs), None), PREDICTIONS, HEAD)
    described = json.loads(content[:length])["outputs"]
    sizes = [one["parameters"]["binary_data_size"] for one in described]
    assert len(content) == length + sum(sizes)
    assert np.frombuffer(content[length : length + 16], "<f8").tolist() == [100.5, 200.0]
    assert content[length + 16 : length + 22] == b"\x02\0\0\0[]"
