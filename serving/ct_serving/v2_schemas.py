"""The bodies of the Open Inference Protocol, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ct_serving.schemas import FIELDS, MAX_INSTANCES
from ct_serving.v2_tensors import DATATYPES, OUTPUTS

INFER_EXAMPLE: Final[dict[str, Any]] = {
    "id": "42",
    "inputs": [
        {"name": "state", "shape": [2, 1], "datatype": "BYTES", "data": ["Puerto Rico", "California"]},
        {"name": "zip_code", "shape": [2, 1], "datatype": "BYTES", "data": ["00601", "94110"]},
        {"name": "house_size", "shape": [2, 1], "datatype": "FP64", "data": [920, 2400]},
    ],
}


class InputTensor(BaseModel):
    """One field of all properties; fields that are not sent are unknown."""

    name: str = Field(examples=["house_size"], json_schema_extra={"enum": list(FIELDS)})
    shape: list[int] = Field(
        min_length=1, max_length=2, description=f"[n] or [n, 1], the same n for all, up to {MAX_INSTANCES}", examples=[[2, 1]]
    )
    datatype: str = Field(examples=["FP64"], json_schema_extra={"enum": list(DATATYPES)})
    data: list[Any] | None = Field(
        None, description="n values, flat or by rows; null and a blank text are unknown", examples=[[920, 2400]]
    )
    parameters: dict[str, Any] | None = Field(
        None, description="binary_data_size: the data are so many bytes behind the JSON, in the order of the inputs"
    )


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    name: str = Field(examples=["price"], json_schema_extra={"enum": list(OUTPUTS)})
    parameters: dict[str, Any] | None = Field(None, description="binary_data: true for bytes behind the JSON")


class InferenceRequest(BaseModel):
    """Properties as tensors."""

    model_config = ConfigDict(json_schema_extra={"examples": [INFER_EXAMPLE]})

    id: str | None = Field(None, description="is given back")
    inputs: list[InputTensor] = Field(min_length=1)
    outputs: list[RequestedOutput] | None = Field(None, description="all, if none is named")
    parameters: dict[str, Any] | None = Field(None, description="binary_data_output: true for all outputs as bytes")


class OutputTensor(BaseModel):
    """One column of the answer."""

    name: str = Field(examples=["price"])
    shape: list[int] = Field(examples=[[2, 1]])
    datatype: Literal["FP64", "BYTES"]
    data: list[Any] | None = Field(
        None, description="dollars; for warnings JSON lists as texts", examples=[[231000.0, 1410000.0]]
    )
    parameters: dict[str, Any] | None = None


class InferenceAnswer(BaseModel):
    """Prices as tensors."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] = Field(description="request_id: under which the inference is on record")
    outputs: list[OutputTensor]


class TensorMetadata(BaseModel):
    """A tensor that the model takes or gives."""

    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class V2ModelMetadata(BaseModel):
    """What the model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """The model answers."""

    name: str
    ready: bool


class ServerLive(BaseModel):
    """The process answers."""

    live: bool


class ServerReady(BaseModel):
    """Whether a model is loaded."""

    live: bool
    ready: bool


class V2Refusal(BaseModel):
    """Why a request has no answer."""

    error: str
