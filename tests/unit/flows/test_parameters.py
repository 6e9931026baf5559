"""Parameters of a run against their declarations."""

from typing import Any

import pytest

from gateway.errors import InvalidInput
from gateway.flows.parameters import check_parameters
from gateway.flows.parsing import parse_flow
from tests.fakes.flow_documents import flow_document


def check(declarations: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    return check_parameters(parse_flow(flow_document(parameters=declarations)), given)


def declared(kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": "p", "type": kind, **fields}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", "x", 1),
        ("number", 1.5, "1.5"),
        ("number", 2, True),
        ("boolean", False, 0),
        ("object", {"a": 1}, [1]),
        ("array", [], {}),
    ],
)
def test_types_are_kept(kind: str, good: Any, bad: Any) -> None:
    assert check([declared(kind)], {"p": good}) == {"p": good}
    with pytest.raises(InvalidInput) as caught:
        check([declared(kind)], {"p": bad})
    assert caught.value.errors[0].pointer == "/parameters/p"


def test_defaults_stand_in_and_optional_ones_stay_absent() -> None:
    declarations = [declared("number", default=5), {"name": "q", "type": "string"}, {"name": "r", "type": "string", "default": None}]
    assert check(declarations, {}) == {"p": 5, "r": None}
    assert check(declarations, {"p": 1, "r": None}) == {"p": 1, "r": None}


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        check([declared("string", required=True), {"name": "q", "type": "number"}], {"q": "x", "a/b": 1})
    assert {(error.pointer, error.detail) for error in caught.value.errors} == {
        ("/parameters/p", "is required"),
        ("/parameters/q", "must be a number"),
        ("/parameters/a~1b", "is not a parameter of this flow"),
    }


@pytest.mark.parametrize(
    ("kind", "rules", "good", "bad"),
    [
        ("number", {"minimum": 1, "maximum": 9}, 9, 10),
        ("number", {"min": 1}, 1, 0),
        ("string", {"minLength": 2, "maxLength": 3}, "ab", "abcd"),
        ("string", {"pattern": "^[A-Z]+$"}, "MSFT", "msft"),
        ("string", {"enum": ["a", "b"]}, "b", "c"),
        ("number", {"enum": [1]}, 1, 2),
        ("array", {"minItems": 1, "maxItems": 2}, [1], []),
        ("string", {"unknownRule": 1}, "anything", None),
    ],
)
def test_validation_rules_hold(kind: str, rules: dict[str, Any], good: Any, bad: Any) -> None:
    assert check([declared(kind, validation=rules)], {"p": good}) == {"p": good}
    with pytest.raises(InvalidInput):
        check([declared(kind, validation=rules)], {"p": bad})


def test_a_pattern_that_would_hang_a_backtracking_engine_is_answered() -> None:
    with pytest.raises(InvalidInput):
        check([declared("string", validation={"pattern": "^(a+)+$"})], {"p": "a" * 5_000 + "b"})


def test_values_that_no_database_could_keep_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        check([declared("object")], {"p": {"x": float("inf")}})
    assert caught.value.errors[0].pointer == "/parameters/p/x"
