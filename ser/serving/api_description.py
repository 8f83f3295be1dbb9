"""What the server says of its own routes: `/openapi.json`, and `/docs` for people, offline."""

from collections.abc import Mapping
from typing import Any

import jinja2
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from ser import lineage
from ser.serving import audio_route, mlflow_model
from ser.serving.mlflow_model import ServedModel
from ser.serving.page_files import FOLDER
from ser.serving.request_guard import FORMS

_TEMPLATE = "docs.html.j2"
_REFUSAL = "#/components/schemas/RefusalAnswer"
_ROW = {
    "type": "object",
    "description": "One recording: `audio`, or `samples` with `sampling_rate`, or `path`.",
    "properties": {
        "audio": {
            "type": "string",
            "format": "byte",
            "description": "Base64 of a WAV, FLAC, OGG or MP3 file.",
        },
        "samples": {
            "type": "array",
            "items": {"type": "number"},
            "description": "Numbers in [-1, 1]; or one such list per channel.",
        },
        "sampling_rate": {"type": "integer", "description": "Of `samples`, in Hz."},
        "path": {
            "type": "string",
            "description": "On the server; refused unless a folder is allowed.",
        },
    },
    "additionalProperties": False,
}
#: MLflow's names of types -> JSON Schema's.
_TYPES = {"double": "number", "string": "string", "boolean": "boolean"}


def add(app: FastAPI, served: ServedModel) -> None:
    """Describe all routes of an application; to be called when the last one is there."""
    described = describe(app, served)
    app.openapi = lambda: described  # type: ignore[method-assign]
    page = as_html(described).encode()
    app.add_api_route(
        "/docs",
        lambda: Response(page, media_type="text/html"),
        methods=["GET"],
        include_in_schema=False,
    )


def describe(app: FastAPI, served: ServedModel) -> dict[str, Any]:
    """Return the OpenAPI description of an application, MLflow's own route included."""
    bundle = served.predictor.bundle
    described = get_openapi(
        title="Speech emotion recognition",
        version=lineage.package_versions(["ser"])["ser"],
        description=f"Answers with {', '.join(bundle.emotions)}. "
        + ("SYNTHETIC: the model learnt from synthetic speech." if bundle.is_synthetic else ""),
        routes=app.routes,
    )
    paths = described["paths"]
    paths["/invocations"]["post"] |= _invocations(mlflow_model.signature(bundle).outputs.to_dict())
    paths["/ping"]["get"] |= {"summary": "Whether the server is up, as MLflow says it"}
    return described


def _invocations(columns: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what MLflow does not say of its route.

    Args:
        columns: Of an answer, from the model's signature.
    """
    answers = {"type": "array", "items": _object({c["name"]: c for c in columns})}
    rows = {"type": "array", "items": _ROW, "minItems": 1, "maxItems": 256}
    # A table in pandas' orientation `split`.
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array", "items": {}}},
        },
        "required": ["columns", "data"],
    }
    forms = [
        {
            "type": "object",
            "properties": {name: split if name == "dataframe_split" else rows},
            "required": [name],
        }
        for name in FORMS
    ]
    refusals = {
        str(status): {
            "description": said["description"],
            "content": {"application/json": {"schema": {"$ref": _REFUSAL}}},
        }
        for status, said in audio_route.REFUSALS.items()
        if "model" in said
    }
    return {
        "summary": "Answer for up to 256 recordings, as MLflow's servers do",
        "description": "",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": forms}}},
        },
        "responses": {
            "200": {
                "description": "One answer per row.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"predictions": answers},
                            "required": ["predictions"],
                        }
                    }
                },
            },
            **refusals,
        },
    }


def _object(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _field(column) for name, column in fields.items()},
        "required": list(fields),
    }


def _field(column: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field of MLflow's signature as JSON Schema; what may be missing is null."""
    if column["type"] == "array":
        return {"type": "array", "items": _object(column["items"]["properties"])}
    kind = _TYPES[column["type"]]
    return {"type": kind if column.get("required", True) else [kind, "null"]}


def as_html(described: Mapping[str, Any]) -> str:
    """Return an OpenAPI description as a page that needs no script.

    Args:
        described: See `describe`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    first = ("/predict", "/invocations")
    operations.sort(key=lambda one: first.index(one["path"]) if one["path"] in first else 9)
    schemas = described["components"]["schemas"]
    return environment.get_template(_TEMPLATE).render(
        info=described["info"],
        operations=operations,
        resolve=lambda schema: (
            schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        ),
    )
