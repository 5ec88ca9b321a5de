"""What answers look like, for the OpenAPI document; a test holds them to the schemas."""

from __future__ import annotations

from typing import Any, Final

from ct_serving.schemas import ALLOWED, EXAMPLE, FEEDBACK_ALLOWED, FEEDBACK_EXAMPLE, INTERVAL_LEVEL
from ct_serving.v2_tensors import input_tensors, output_tensors

_ID: Final = "4f6e2f0a-7d0a-4c3e-9b8e-2f1f0a7c9d11"
_MODEL: Final = {"name": "house-prices", "version": "4", "alias": "production", "run_id": "8f1c2f6d1a0b4e0f8f6b7f3f5a3f9f11"}
_UNSEEN: Final = {"field": "zip_code", "kind": "unseen", "message": "the model has seen no listing with zip_code '00602'"}
_PRICE: Final = {
    "price": 98500.0,
    "interval": {"low": 61200.0, "high": 158500.0, "level": INTERVAL_LEVEL},
    "warnings": [_UNSEEN],
    "error": None,
}
# ln(98500) = 12.3 - 0.802; the dollars are these parts times the logarithmic mean of 98,500 and 219,696.
_EXPLANATION: Final = {
    "base": {"log": 12.3, "price": 219695.99},
    "contributions": [
        {"field": "location", "log": -0.55, "factor": 0.577, "usd": -83095.0},
        {"field": "house_size", "log": -0.252, "factor": 0.777, "usd": -38101.0},
    ],
}
_REIGN: Final = {
    "version": "4",
    "since": "2026-11-20T10:04:11Z",
    "until": None,
    "event": "promoted",
    "dag_id": "house_prices",
    "run_id": "scheduled__2026-11-20T10:00:00+00:00",
    "trained_because": {
        "code": "TRAIN_PERFORMANCE_DEGRADED",
        "text": "Batch 3: trained, because the model in production (version 3) errs 1.33 times as much as in its evaluation.",
        "decided_at": "2026-11-20T10:01:30Z",
        "decision_id": "0b0f4f1c-8a77-4f0c-9f0e-0d9a1f2b3c4d",
        "policy": "strict 1",
    },
    "in_production_because": {
        "code": "PROMOTE_BETTER",
        "text": "Version 4 was promoted, because on the same homes its MAE is 12% lower than that of version 3.",
        "decided_at": "2026-11-20T10:03:50Z",
        "decision_id": "5d9e2a1b-1c2d-4e3f-8a9b-7c6d5e4f3a2b",
        "policy": "strict 1",
    },
}

_V2_MODEL: Final = {
    "name": "house-prices",
    "versions": ["4"],
    "platform": "mlflow_pyfunc",
    "inputs": input_tensors(),
    "outputs": output_tensors(),
}
_V2_READY: Final = {"name": "house-prices", "ready": True}
_V2_ANSWER: Final = {
    "model_name": "house-prices",
    "model_version": "4",
    "id": "42",
    "parameters": {"request_id": _ID},
    "outputs": [{"name": "price", "datatype": "FP64", "shape": [2, 1], "data": [98500.0, 1410000.0]}],
}

ANSWERS: Final[dict[str, Any]] = {
    "/health/live": {"status": "live"},
    "/health/ready": {
        "status": "ready",
        "reason": None,
        "model": _MODEL,
        "degraded": [{"part": "database", "detail": "inferences wait in the spool: connection refused"}],
    },
    "/model": {
        **_MODEL,
        "loaded_at": "2026-11-20T10:04:13Z",
        "interval_level": INTERVAL_LEVEL,
        "inputs": [{"type": "double", "name": "house_size", "required": False}],
        "known_values": {"zip_code": 29873},
        "tags": {"stage": "production"},
        "description": "",
    },
    "/model/history": {"model": "house-prices", "language": "en", "reigns": [_REIGN]},
    "/admin/reload": {
        "result": "loaded",
        "detail": "version 4 answers now instead of version 3, loaded in 1.20 s",
        "model": _MODEL,
    },
    "/predict": {"request_id": _ID, "model": _MODEL, **_PRICE},
    "/explain": {"request_id": _ID, "model": _MODEL, **_PRICE, **_EXPLANATION},
    "/feedback": {
        "request_id": "b7a3c1de-5f60-4a71-8f3d-2c1b0a9e8d7c",
        "feedback_for": FEEDBACK_EXAMPLE["request_id"],
        "row_number": 0,
        "kind": "sale",
        "actual_price": FEEDBACK_EXAMPLE["actual_price"],
        "result": "stored",
        "replaced": None,
        "predicted": 98500.0,
        "model_version": "4",
    },
    "/v2": {"name": "continuous-training-serving", "version": "0.1.0", "extensions": ["binary_tensor_data"]},
    "/v2/health/live": {"live": True},
    "/v2/health/ready": {"live": True, "ready": True},
    "/v2/models/{name}": _V2_MODEL,
    "/v2/models/{name}/versions/{version}": _V2_MODEL,
    "/v2/models/{name}/ready": _V2_READY,
    "/v2/models/{name}/versions/{version}/ready": _V2_READY,
    "/v2/models/{name}/infer": _V2_ANSWER,
    "/v2/models/{name}/versions/{version}/infer": _V2_ANSWER,
}
"""A path and an answer of it with status 200."""


def _refusal(field: str, message: str, allowed: str, example: Any, given: Any) -> dict[str, Any]:
    detail = {"field": field, "message": message, "allowed": allowed, "example": example, "given": given}
    return {"request_id": _ID, "detail": [detail]}


REFUSALS: Final[dict[str, Any]] = {
    "/predict": _refusal("bed", "Input should be greater than or equal to 0", ALLOWED["bed"], EXAMPLE["bed"], -1),
    "/feedback": _refusal(
        "actual_price",
        "Input should be greater than 0",
        FEEDBACK_ALLOWED["actual_price"],
        FEEDBACK_EXAMPLE["actual_price"],
        0,
    ),
    "/model/history": _refusal("language", "Input should be 'en' or 'es'", "en or es", "en", "fr"),
}
"""A path and an answer of it with status 422."""
