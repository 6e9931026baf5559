"""Reading JSON: what is refused, and where the blame points."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configservice.reading import InvalidRequest, parse_json, path_of

SAFE_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | SAFE_TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(SAFE_TEXT, children, max_size=4),
    max_leaves=20,
)


@given(value=JSON)
def test_what_jsonb_can_hold_passes_unchanged(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"a": [1, {"b": "\\u0000"}]}', ["a", 1, "b"]),
        (b'{"a": "\\udc00"}', ["a"]),
        (b"{", []),
        (b"\xff", []),
        (b"[" * 100_000, []),
        (b"[Infinity]", []),
        (b"[-1e999]", []),
        (b"[" + b"1" * 5000 + b"]", []),
    ],
)
def test_what_it_cannot_is_refused_with_its_place(raw: bytes, path: list[str | int]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(raw)
    assert list(refused.value.details[0].path) == path


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("", ()),
        ("/nodes/0/id", ("nodes", 0, "id")),
        ("/a~1b/m~0n", ("a/b", "m~n")),
        ("?limit", ("limit",)),
        ("/0/1", ("0", 1)),
    ],
)
def test_paths_of_pointers(pointer: str, path: tuple[str | int, ...]) -> None:
    assert path_of(pointer) == path
