"""The tensors of the Open Inference Protocol (V2) and the rows that they are, in both directions. Pure functions.

A field of Property is an input of shape [n] or [n, 1], whatever its datatype; a field that is not sent is unknown, and so
is null, NaN and the empty text. Tensors are JSON, or bytes behind the JSON as in Triton's binary tensor data extension
(https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from ct_serving.model_holder import DATES, TEXTS
from ct_serving.schemas import FIELDS, MAX_INSTANCES

OUTPUTS: Mapping[str, str] = {"price": "FP64", "price_low": "FP64", "price_high": "FP64", "warnings": "BYTES"}
"""The output tensors and their datatypes; ``warnings`` are JSON lists as texts."""

BINARY_HEADER = "Inference-Header-Content-Length"

_NUMPY = {"BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
          "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}  # fmt: skip
DATATYPES = (*_NUMPY, "BYTES")


class TensorError(Exception):
    """A request that is none of this protocol, in words for its ``error``."""


@dataclass(frozen=True)
class InferRequest:
    """A request as rows: ``outputs`` are the names that were asked for, with whether they are to be bytes."""

    rows: Sequence[dict[str, Any]]
    outputs: Sequence[tuple[str, bool]]
    id: str | None
    column: bool
    """Whether tensors are of shape [n, 1]."""


def input_tensors() -> list[dict[str, Any]]:
    """The metadata of the inputs."""
    texts = {*TEXTS, *DATES}
    return [{"name": name, "datatype": "BYTES" if name in texts else "FP64", "shape": [-1, 1]} for name in FIELDS]


def output_tensors() -> list[dict[str, Any]]:
    """The metadata of the outputs."""
    return [{"name": name, "datatype": datatype, "shape": [-1, 1]} for name, datatype in OUTPUTS.items()]


def read_request(body: bytes, json_length: int | None) -> InferRequest:
    """A body as rows; ``json_length`` is what BINARY_HEADER says. Raises TensorError."""
    text, blob = (body, b"") if json_length is None else (body[:json_length], body[json_length:])
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TensorError(f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise TensorError("the body is not an object with inputs")
    identity = content.get("id")
    if identity is not None and not isinstance(identity, str):
        raise TensorError("id must be a text")
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise TensorError(f"inputs must be a list of tensors, named {', '.join(FIELDS)}")
    columns, column = _columns(inputs, blob)
    count = len(next(iter(columns.values())))
    rows: list[dict[str, Any]] = [
        {name: values[number] for name, values in columns.items() if values[number] is not None} for number in range(count)
    ]
    binary = _parameter(content, "binary_data_output") is True
    return InferRequest(rows, _asked(content.get("outputs"), binary), identity, column)


def _columns(inputs: Sequence[Any], blob: bytes) -> tuple[dict[str, list[Any]], bool]:
    columns: dict[str, list[Any]] = {}
    ranks, at = set(), 0
    for tensor in inputs:
        name, shape = _described(tensor)
        if name in columns:
            raise TensorError(f"input {name} is there twice")
        size = _parameter(tensor, "binary_data_size")
        if size is None:
            values = _flat(name, tensor.get("data"))
        else:
            if not isinstance(size, int) or size < 0 or at + size > len(blob):
                raise TensorError(f"input {name}: binary_data_size {size} does not fit the body")
            values, at = _from_bytes(name, tensor["datatype"], blob[at : at + size]), at + size
        if len(values) != shape[0]:
            raise TensorError(f"input {name} has {len(values)} values and the shape {shape}")
        columns[name] = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
        ranks.add(len(shape))
    if len({len(values) for values in columns.values()}) > 1:
        raise TensorError("the inputs have different numbers of rows")
    return columns, ranks == {2}


def _described(tensor: Any) -> tuple[str, list[int]]:
    """The name and shape of an input."""
    if not isinstance(tensor, dict):
        raise TensorError("an input is an object with name, shape, datatype and data")
    name, shape = tensor.get("name"), tensor.get("shape")
    if name not in FIELDS:
        raise TensorError(f"there is no input {str(name)[:100]!r}; the inputs are {', '.join(FIELDS)}")
    if tensor.get("datatype") not in DATATYPES:
        raise TensorError(f"input {name}: datatype must be one of {', '.join(DATATYPES)}")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise TensorError(f"input {name}: shape must be a list of whole numbers")
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)) or not 1 <= shape[0] <= MAX_INSTANCES:
        raise TensorError(f"input {name}: shape must be [n] or [n, 1] with n from 1 to {MAX_INSTANCES}")
    return str(name), shape


def _flat(name: str, data: Any) -> list[Any]:
    """The values of JSON data, which may be nested by rows."""
    if not isinstance(data, list):
        raise TensorError(f"input {name}: data must be a list")
    values: list[Any] = []
    for value in data:
        if isinstance(value, list):
            values.extend(value)
        else:
            values.append(value)
    if any(isinstance(value, list | dict) for value in values):
        raise TensorError(f"input {name}: data must be numbers, texts or null")
    return values


def _from_bytes(name: str, datatype: str, data: bytes) -> list[Any]:
    if datatype != "BYTES":
        try:
            return list(np.frombuffer(data, dtype=_NUMPY[datatype]).tolist())
        except ValueError:
            raise TensorError(f"input {name}: {len(data)} bytes are no {datatype}") from None
    values, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if at + size > len(data):
            raise TensorError(f"input {name}: a text is longer than its tensor")
        try:
            values.append(data[at : at + size].decode())
        except UnicodeDecodeError:
            raise TensorError(f"input {name}: a text is not UTF-8") from None
        at += size
    return values


def _parameter(content: Mapping[str, Any], name: str) -> Any:
    parameters = content.get("parameters")
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise TensorError("parameters must be an object")
    return parameters.get(name)


def _asked(outputs: Any, binary: bool) -> list[tuple[str, bool]]:
    if outputs is None:
        return [(name, binary) for name in OUTPUTS]
    if not isinstance(outputs, list):
        raise TensorError("outputs must be a list of objects with a name")
    asked = []
    for output in outputs:
        name = output.get("name") if isinstance(output, dict) else None
        if not isinstance(name, str) or name not in OUTPUTS:
            raise TensorError(f"there is no output {str(name)[:100]!r}; the outputs are {', '.join(OUTPUTS)}")
        own = _parameter(output, "binary_data")
        asked.append((name, binary if own is None else own is True))
    return asked or [(name, binary) for name in OUTPUTS]


def write_answer(
    request: InferRequest, predictions: Sequence[Mapping[str, Any]], head: Mapping[str, Any]
) -> tuple[bytes, int | None]:
    """The body of an answer and the length of its JSON part if bytes follow it.

    ``predictions`` are those of ``/predict``, each with a price; ``head`` has model_name, model_version and parameters.
    """
    columns: dict[str, list[Any]] = {
        "price": [row["price"] for row in predictions],
        "price_low": [row["interval"]["low"] for row in predictions],
        "price_high": [row["interval"]["high"] for row in predictions],
        "warnings": [orjson.dumps(row["warnings"]).decode() for row in predictions],
    }
    shape = [len(predictions), 1] if request.column else [len(predictions)]
    outputs, blobs = [], []
    for name, binary in request.outputs:
        tensor = {"name": name, "datatype": OUTPUTS[name], "shape": shape}
        if binary:
            blobs.append(_to_bytes(columns[name]))
            outputs.append({**tensor, "parameters": {"binary_data_size": len(blobs[-1])}})
        else:
            outputs.append({**tensor, "data": columns[name]})
    identity = {} if request.id is None else {"id": request.id}
    text = orjson.dumps({**head, **identity, "outputs": outputs})
    return text + b"".join(blobs), len(text) if blobs else None


def _to_bytes(values: Sequence[Any]) -> bytes:
    if isinstance(values[0], float):
        return np.asarray(values, dtype="<f8").tobytes()
    texts = [value.encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)
