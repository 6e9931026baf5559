"""The OpenAPI 3.1 document, made from what the views say about themselves. Source: https://spec.openapis.org/oas/v3.1.1"""

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from gateway.api.models.common import Problem
from gateway.api.operations import Operation, find_operation
from gateway.security.scopes import PUBLIC, declared_scope
from gateway.shapes.flaws import portable
from gateway.version import NAME, VERSION

Json = dict[str, Any]
References = dict[Any, Json]  # from a shape to where its schema stands
REF = "#/components/schemas/{name}"
PATH_VARIABLE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
ALWAYS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR)
GUARDED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
COMMON_HEADERS = {"X-Request-ID": "Accepted when it is 1 to 128 of A-Z a-z 0-9 . _ -; sent back with every answer"}


def build_document(app: Flask) -> Json:
    """The document of this app; built once."""
    document: Json | None = app.extensions.get("openapi_document")
    if document is None:
        document = app.extensions["openapi_document"] = _build(app)
    return document


def described_rules(app: Flask) -> Iterator[tuple[Rule, Operation]]:
    """Every route that describes itself, in the order of its path."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ()))):
        operation = find_operation(app.view_functions[rule.endpoint])
        if operation:
            yield rule, operation


def path_of(rule: Rule) -> str:
    """The path as OpenAPI writes it, with its variables in camelCase."""
    return PATH_VARIABLE.sub(lambda match: "{" + _camel(match.group(1)) + "}", rule.rule)


def _build(app: Flask) -> Json:
    rules = list(described_rules(app))
    references, schemas = _schemas(operation for _, operation in rules)
    paths: Json = {}
    for rule, operation in rules:
        entry = _Describer(references, schemas).describe(rule, operation, declared_scope(app.view_functions[rule.endpoint]))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path_of(rule), {})[method.lower()] = entry
    queries = {references[operation.query]["$ref"].rsplit("/", 1)[-1] for _, operation in rules if operation.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": NAME, "version": VERSION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


class _Describer:
    """Turns one operation into an OpenAPI operation object."""

    def __init__(self, references: References, schemas: Json) -> None:
        self._references = references
        self._schemas = schemas

    def describe(self, rule: Rule, operation: Operation, scope: Any) -> Json:
        """The operation object (OpenAPI §4.8.10)."""
        described: Json = {
            "operationId": rule.endpoint.replace(".", "_"),
            "tags": [rule.endpoint.split(".", maxsplit=1)[0]],
            "summary": operation.summary,
            "description": operation.description + ("" if scope == PUBLIC else f" Scope: {scope}."),
            "parameters": [*self._path(rule, operation), *self._query(operation), *self._headers(operation)],
            "responses": self._responses(operation, scope),
            "security": [] if scope == PUBLIC else [{"bearer": []}, {"apiKey": []}],
        }
        if operation.body:
            content = {"application/json": {"schema": self._references[operation.body]}}
            described["requestBody"] = {"required": operation.body_required, "content": content}
        return described

    def _path(self, rule: Rule, operation: Operation) -> list[Json]:
        schemas: dict[str, Json] = {name: {"type": "string"} for name in PATH_VARIABLE.findall(rule.rule)}
        for name, choices in operation.choices.items():
            schemas[name]["enum"] = [str(choice) for choice in choices]
        return [{"name": _camel(name), "in": "path", "required": True, "schema": schema} for name, schema in schemas.items()]

    def _query(self, operation: Operation) -> list[Json]:
        if operation.query is None:
            return []
        name = self._references[operation.query]["$ref"].rsplit("/", 1)[-1]
        properties: Json = self._schemas[name].get("properties", {})
        return [
            {"name": name, "in": "query", "required": False, "description": schema.get("description", ""), "schema": _without_null(schema)}
            for name, schema in properties.items()
        ]

    def _headers(self, operation: Operation) -> list[Json]:
        headers = {**operation.headers, **COMMON_HEADERS}
        return [
            {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}
            for name, meaning in headers.items()
        ]

    def _responses(self, operation: Operation, scope: Any) -> Json:
        responses: Json = {str(status): self._answer(status, shape) for status, shape in operation.answers.items()}
        for status in sorted({*operation.problems, *ALWAYS, *(() if scope == PUBLIC else GUARDED)}):
            content = {"application/problem+json": {"schema": self._references[Problem]}}
            responses[str(int(status))] = {"description": HTTPStatus(status).phrase, "content": content}
        return responses

    def _answer(self, status: int, shape: Any) -> Json:
        answer: Json = {"description": HTTPStatus(status).phrase}
        if isinstance(shape, str):
            answer["content"] = {shape: {"schema": {}}}
        elif shape is not None:
            answer["content"] = {"application/json": {"schema": self._references[shape]}}
        return answer


def _schemas(operations: Iterable[Operation]) -> tuple[References, Json]:
    """Every shape that comes or goes, and the schemas of all of them. What goes out is complete: each member of an answer is there."""
    sent: set[Any] = {Problem}
    read: set[Any] = set()
    for operation in operations:
        read |= {shape for shape in (operation.body, operation.query) if shape}
        sent |= {shape for shape in operation.answers.values() if shape and not isinstance(shape, str)}
    sent_references, sent_schemas = _components(sent)
    read_references, read_schemas = _components(read)
    for schema in sent_schemas.values():
        if "properties" in schema:
            schema["required"] = list(schema["properties"])
    return sent_references | read_references, read_schemas | sent_schemas


def _components(shapes: Iterable[Any]) -> tuple[References, Json]:
    ordered = sorted(shapes, key=str)
    references, schemas = msgspec.json.schema_components(ordered, schema_hook=_schema_of_word, ref_template=REF)
    return dict(zip(ordered, references, strict=True)), _portable(schemas)


def _schema_of_word(word: Any) -> Json:
    schema: Json = word.schema
    return schema


def _portable(schema: Any) -> Any:
    """Patterns in the dialect of JSON Schema."""
    if isinstance(schema, list):
        return [_portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: _portable(value) for key, value in schema.items()}
    return whole | {"pattern": portable(schema["pattern"])} if isinstance(schema.get("pattern"), str) else whole


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _without_null(schema: Json) -> Json:
    """A query parameter is absent rather than null."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "description"} and value is not None}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**kept, **choices[0]}
    return {**kept, "anyOf": choices} if choices else kept
