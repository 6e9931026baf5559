"""As much of Weaviate's GraphQL as the double runs: Get and Aggregate over stored objects, with limit, offset and variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\s+|,|#[^\n]*|("(?:[^"\\]|\\.)*"|\.\.\.|[_A-Za-z]\w*|-?[\d.]+|[!$&()\[\]{}:=@|])')


class QueryRefused(Exception):
    """What the server would list under `errors`."""


@dataclass
class Field:
    """One field of a selection, with its arguments and its own selection."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fields: list["Field"] = field(default_factory=list)


def execute(text: str, variables: Mapping[str, Any], rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The `data` of the answer.

    Raises:
        QueryRefused: a syntax error, an unknown class, field or variable.
    """
    data: dict[str, Any] = {}
    for root in _Parser(text, variables).document():
        if root.name not in {"Get", "Aggregate"}:
            raise QueryRefused(f'Cannot query field "{root.name}" on type "WeaviateObj".')
        data[root.name] = {}
        for collection in root.fields:
            if collection.name not in rows:
                raise QueryRefused(f'Cannot query field "{collection.name}" on type "{root.name}ObjectsObj".')
            data[root.name][collection.name] = _get(collection, rows) if root.name == "Get" else [_count(collection, rows)]
    return data


def _get(collection: Field, rows: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    offset, limit = collection.arguments.get("offset", 0), collection.arguments.get("limit", 100)
    return [_selected(row, collection.fields) for row in rows[collection.name][offset : offset + limit]]


def _count(collection: Field, rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"meta": {"count": len(rows[collection.name])}}


def _selected(row: Mapping[str, Any], fields: list[Field]) -> dict[str, Any]:
    return {item.name: _selected(row[item.name], item.fields) if item.fields else row.get(item.name) for item in fields}


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._words = [match.group(1) for match in _TOKEN.finditer(text) if match.group(1)]
        self._variables = variables
        self._at = 0

    def document(self) -> list[Field]:
        if self._peek() == "query":
            while self._peek() != "{":
                self._next()
        return self._selection()

    def _selection(self) -> list[Field]:
        self._expect("{")
        fields = []
        while self._peek() != "}":
            fields.append(self._field())
        self._next()
        return fields

    def _field(self) -> Field:
        found = Field(self._next())
        if self._peek() == "(":
            self._next()
            while self._peek() != ")":
                name = self._next()
                self._expect(":")
                found.arguments[name] = self._value()
            self._next()
        if self._peek() == "{":
            found.fields = self._selection()
        return found

    def _value(self) -> Any:
        word = self._next()
        if word != "$":
            return int(word) if word.lstrip("-").isdigit() else word.strip('"')
        name = self._next()
        if name not in self._variables:
            raise QueryRefused(f'Variable "${name}" is not defined.')
        return self._variables[name]

    def _peek(self) -> str:
        if self._at >= len(self._words):
            raise QueryRefused("Syntax Error GraphQL request: unexpected EOF")
        return self._words[self._at]

    def _next(self) -> str:
        word = self._peek()
        self._at += 1
        return word

    def _expect(self, word: str) -> None:
        if self._next() != word:
            raise QueryRefused(f"Syntax Error GraphQL request: expected {word}")
