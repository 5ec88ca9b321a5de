"""The OpenAPI document: bodies of the routes that read them themselves, and the answers that every route may give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from ct_serving import schemas
from ct_serving.guard import OPEN_PATHS
from ct_serving.openapi_examples import ANSWERS, REFUSALS
from ct_serving.schemas import EXAMPLE, FEEDBACK_EXAMPLE
from ct_serving.v2_schemas import INFER_EXAMPLE, InferenceRequest

_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "example": "4f6e2f0a-7d0a-4c3e-9b8e-2f1f0a7c9d11",
    "description": "The id of the call, echoed. For an inference it must be a UUID to count: a request that is sent again "
    "with its id is the same inference, and the first answer stays on record. Anything else is replaced by a new UUID.",
}
_SEVERAL = {"instances": [EXAMPLE, {"zip_code": 601, "house_size": 1500}]}
_BODIES = (schemas.Property, schemas.PropertyBatch, schemas.PropertyFew, schemas.Feedback, InferenceRequest)

_KEY_SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "the same key, or CT_ADMIN_TOKEN for /admin"},
}
_EVERYWHERE = {
    "401": "No valid API key was sent (where keys are asked for).",
    "429": "The client has sent too many requests; Retry-After says when the next is welcome.",
    "500": "An unforeseen error; the log has it under the request id.",
    "504": "There was no answer in time.",
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "seconds"}}


def _properties(batch: str) -> dict[str, Any]:
    """One property, or several as ``instances``: an object with that name is never a single one."""
    one = {"allOf": [{"$ref": "#/components/schemas/Property"}, {"not": {"required": ["instances"]}}]}
    return {
        "schema": {"anyOf": [one, {"$ref": f"#/components/schemas/{batch}"}]},
        "examples": {
            "one": {"summary": "One property", "value": EXAMPLE},
            "several": {"summary": "Several properties", "value": _SEVERAL},
        },
    }


def _bodies() -> dict[str, dict[str, Any]]:
    infer = {
        "schema": {"$ref": "#/components/schemas/InferenceRequest"},
        "examples": {"two": {"summary": "Two properties, a tensor for each field", "value": INFER_EXAMPLE}},
    }
    return {
        "/predict": _properties("PropertyBatch"),
        "/explain": _properties("PropertyFew"),
        "/feedback": {
            "schema": {"$ref": "#/components/schemas/Feedback"},
            "examples": {"sale": {"summary": "What it was sold for", "value": FEEDBACK_EXAMPLE}},
        },
        "/v2/models/{name}/infer": infer,
        "/v2/models/{name}/versions/{version}/infer": infer,
    }


def complete(app: FastAPI, key_required: bool) -> Callable[[], dict[str, Any]]:
    """FastAPI's document with what FastAPI does not see: bodies parsed by hand, keys, and the answers of the middleware."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemes = document["components"]
            _, definitions = models_json_schema(
                [(model, "validation") for model in _BODIES], ref_template="#/components/schemas/{model}"
            )
            schemes["schemas"].update(definitions["$defs"])
            schemes["securitySchemes"] = _KEY_SCHEMES
            for path, content in _bodies().items():
                operation = document["paths"][path]["post"]
                operation.setdefault("parameters", []).append(_REQUEST_ID)
                operation["requestBody"] = {"required": True, "content": {"application/json": content}}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _add_common(path, operation)
                    _add_security(path, operation, key_required)
                    _add_examples(path, operation)
            # What FastAPI says of refused parameters; here they are refused in the shape of all refusals.
            for name in ("HTTPValidationError", "ValidationError"):
                schemes["schemas"].pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    return openapi


def _add_examples(path: str, operation: dict[str, Any]) -> None:
    """An example of the answer, and of the refusal that a client may mend."""
    answers = operation["responses"]
    if path in ANSWERS:
        answers["200"]["content"]["application/json"]["example"] = ANSWERS[path]
    if "422" in answers:
        answers["422"]["content"]["application/json"]["example"] = REFUSALS.get(path, REFUSALS["/predict"])


def _add_security(path: str, operation: dict[str, Any], key_required: bool) -> None:
    if path.startswith("/admin/"):
        operation["security"] = [{"Bearer": []}]
    elif key_required and not path.startswith(OPEN_PATHS):
        operation["security"] = [{"ApiKey": []}, {"Bearer": []}]


def _add_common(path: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        # Its parameters are texts: none of them is refused for its form.
        del answers["422"]
    shape = {"$ref": f"#/components/schemas/{'V2Refusal' if path.startswith('/v2') else 'Refusal'}"}
    for status, description in _EVERYWHERE.items():
        if status in ("401", "429") and path.startswith(OPEN_PATHS):
            continue
        answers.setdefault(status, {"description": description, "content": {"application/json": {"schema": shape}}})
    for status in ("429", "503", "504"):
        if status in answers and "/health/" not in path:
            answers[status]["headers"] = _RETRY_AFTER
