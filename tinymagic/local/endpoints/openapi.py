"""The OpenAPI 3.0 document of endpoints (``pipes.md`` section 10)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .extensions import FORMATS, content_type_of
from .parameters import as_text
from .types import Schema, column_schema, parameter_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parameters import Parameter

OPENAPI_VERSION = "3.0.3"

_ERRORS = {
    "400": "A parameter is missing or wrong, or the SQL fails.",
    "403": "There is no token, or it may not read this endpoint.",
    "404": "There is no such endpoint.",
    "408": "The query took too long.",
    "429": "Too many requests.",
}

_JSON = "application/json"

_STATISTICS: Schema = {
    "type": "object",
    "properties": {
        "elapsed": {"type": "number", "format": "double"},
        "rows_read": {"type": "integer", "format": "int64"},
        "bytes_read": {"type": "integer", "format": "int64"},
    },
}

_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "documentation": {"type": "string"}},
}

_COLUMN: Schema = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
}


@dataclass(frozen=True)
class Endpoint:
    """What the document says of one endpoint.

    Attributes:
        name: of the Pipe.
        description: of the Pipe; may be empty.
        parameters: of its templates.
        columns: name and ClickHouse type of each column of the result; empty when they are not known.
    """

    name: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    columns: Sequence[tuple[str, str]] = ()


def document(title: str, host: str, endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the document of *endpoints*.

    Args:
        title: what it is about: the name of the Workspace or of the Pipe.
        host: URL of the server, without a slash at the end.
        endpoints: those that the token may read.
        version: of the document.
    """
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": version, "description": "Published endpoints."},
        "servers": [{"url": host}],
        "security": [{"bearer": []}, {"token": []}],
        "tags": [{"name": each.name} | _described(each.description) for each in endpoints],
        "paths": {f"/v0/pipes/{each.name}.json": _path(each) for each in endpoints},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "query", "name": "token"},
            },
            "schemas": {
                "Error": _ERROR,
                "Column": _COLUMN,
                "Statistics": _STATISTICS,
                **{f"{each.name}_row": _row(each) for each in endpoints},
            },
        },
    }


def parameter_object(parameter: Parameter) -> dict[str, Any]:
    """Return the OpenAPI object of one parameter."""
    schema = parameter_schema(parameter.type)
    is_list = schema["type"] == "array"
    if parameter.enum:
        (schema["items"] if is_list else schema)["enum"] = list(parameter.enum)
    if parameter.format:
        (schema["items"] if is_list else schema)["format"] = parameter.format
    if parameter.default is not None:
        schema["default"] = _typed(parameter.default, schema)
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        **_described(parameter.description),
        "schema": schema,
    }
    if is_list:
        found.update(style="form", explode=False)  # The template splits one text at commas.
    if parameter.example is not None:
        found["example"] = _typed(parameter.example, schema)
    return found


def _path(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [parameter_object(each) for each in endpoint.parameters]
    names = {each.name for each in endpoint.parameters}
    if "q" not in names:
        about = "SQL over the result, which is the table `_`."
        parameters.append(
            {"name": "q", "in": "query", "required": False, "description": about, "schema": {"type": "string"}}
        )
    operation = {
        "operationId": endpoint.name,
        "tags": [endpoint.name],
        "summary": endpoint.name,
        **_described(_with_extensions(endpoint.description)),
        "parameters": parameters,
        "responses": _responses(endpoint),
    }
    return {"get": operation}


def _with_extensions(description: str) -> str:
    others = ", ".join(f"`.{each}` ({content_type_of(each).partition(';')[0]})" for each in FORMATS if each != "json")
    note = f"Also with other extensions in the place of `.json`: {others}."
    return f"{description}\n\n{note}" if description else note


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["meta", "data", "rows"],
        "properties": {
            "meta": {"type": "array", "items": {"$ref": "#/components/schemas/Column"}},
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{endpoint.name}_row"}},
            "rows": {"type": "integer"},
            "rows_before_limit_at_least": {"type": "integer"},
            "statistics": {"$ref": "#/components/schemas/Statistics"},
        },
    }
    error = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "The rows.", "content": {_JSON: {"schema": body}}},
        **{status: {"description": text, "content": error} for status, text in _ERRORS.items()},
    }


def _row(endpoint: Endpoint) -> Schema:
    return {"type": "object", "properties": {name: column_schema(kind) for name, kind in endpoint.columns}}


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _typed(value: Any, schema: Schema) -> Any:
    """Return a default or example in the schema's type where its text can be read so, else as text."""
    kind = schema["type"]
    if kind == "array":
        items = value if isinstance(value, (list, tuple)) else str(value).split(",")
        return [_typed(each, schema["items"]) for each in items]
    text = as_text(value)
    if kind == "boolean":
        return text.lower() not in ("0", "false", "")
    if kind in ("integer", "number"):
        try:
            return int(text) if kind == "integer" else _finite(float(text), text)
        except ValueError:
            return text
    return text


def _finite(number: float, text: str) -> float | str:
    """Return *number*, or its text when JSON has no such number."""
    return number if math.isfinite(number) else text
