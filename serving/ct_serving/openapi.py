"""The OpenAPI document of the routes that read their body themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from ct_serving.schemas import EXAMPLE, Property, PropertyBatch

_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid"},
    "description": "The id of the inference, a UUID; it is echoed. A request that is sent again with its id is the same "
    "inference: the first answer stays on record.",
}


def complete(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """FastAPI's document with the body of ``/predict``, which is parsed by hand for speed and errors by row."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _, definitions = models_json_schema(
                [(Property, "validation"), (PropertyBatch, "validation")], ref_template="#/components/schemas/{model}"
            )
            document["components"]["schemas"].update(definitions["$defs"])
            route = document["paths"]["/predict"]["post"]
            route["parameters"] = [_REQUEST_ID]
            route["requestBody"] = {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Property", "PropertyBatch")]
                        },
                        "examples": {
                            "one": {"summary": "One property", "value": EXAMPLE},
                            "many": {"summary": "Several properties", "value": {"instances": [EXAMPLE, {"zip_code": 601}]}},
                        },
                    }
                },
            }
            app.openapi_schema = document
        return app.openapi_schema

    return openapi
