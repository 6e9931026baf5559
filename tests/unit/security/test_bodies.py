"""Reading JSON bodies: whatever comes, the answer is a value or a MalformedInput."""

import contextlib
import json
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import UnsupportedMediaType

from gateway.errors import MalformedInput
from gateway.security.bodies import MAX_DEPTH, read_json

APP = Flask(__name__)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def read(body: bytes, content_type: str = "application/json") -> object:
    with APP.test_request_context("/", method="POST", data=body, content_type=content_type):
        return read_json(request)


@given(JSON_VALUES)
def test_any_json_value_comes_through_unchanged(value: Any) -> None:
    assert read(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    with contextlib.suppress(MalformedInput):
        read(body)


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_no_body_is_nothing(body: bytes) -> None:
    assert read(body, content_type="text/plain") is None


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json"])
def test_json_goes_by_its_names(content_type: str) -> None:
    assert read(b"{}", content_type) == {}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_of_another_page_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        read(b"{}", content_type)


def test_depth_is_bounded_and_pointed_at() -> None:
    assert read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(MalformedInput) as caught:
        read(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))
    assert caught.value.errors[0].pointer.startswith("/a/a")


def test_many_names_with_one_twice_are_refused_quickly() -> None:
    names = [f'"{number}":1' for number in range(100_000)]
    with pytest.raises(MalformedInput, match="twice"):
        read(("{" + ",".join([*names, '"99999":2']) + "}").encode())
