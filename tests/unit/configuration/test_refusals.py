"""What a registry finds wrong, in either of its two shapes, and in none."""

import json
from typing import Any

import pytest

from gateway.configuration.refusals import field_errors, message_of
from gateway.errors import FieldError
from gateway.outbound.answer import Answer


def answer(body: Any) -> Answer:
    return Answer(400, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_reads_joi() -> None:
    details = [
        {"message": '"nodes[0].id" is required', "path": ["nodes", 0, "id"], "type": "any.required"},
        {"message": "m", "path": ["a/b~c"]},
    ]
    errors = field_errors(answer({"details": details}))
    assert errors == [FieldError("/nodes/0/id", '"nodes[0].id" is required'), FieldError("/a~1b~0c", "m")]


def test_reads_pointers() -> None:
    assert field_errors(answer({"details": {"errors": [{"pointer": "/id", "detail": "bad"}]}})) == [FieldError("/id", "bad")]
    assert field_errors(answer({"details": [{"pointer": "/id", "detail": "bad"}]})) == [FieldError("/id", "bad")]


@pytest.mark.parametrize(
    "body", [b"<html>", [], {}, {"details": None}, {"details": "no"}, {"details": [1, None, {}]}, {"details": {"a": 1}}]
)
def test_anything_else_names_nothing(body: Any) -> None:
    assert field_errors(answer(body)) == []


def test_is_bounded() -> None:
    body = {"message": "m" * 10_000, "details": [{"message": "d" * 10_000, "path": []}] * 10_000}
    assert len(field_errors(answer(body))) == 100
    assert len(field_errors(answer(body))[0].detail) == 500
    assert len(message_of(answer(body))) == 500


def test_a_missing_message_is_the_status() -> None:
    assert message_of(answer(b"<html>")) == "it answered 400"
