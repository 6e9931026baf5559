"""A request id is the caller's when it is well formed, and a new one otherwise."""

import uuid

import pytest

from gateway.observability.context import accept_request_id, current_request_id, request_context


@pytest.mark.parametrize("good", ["a", "A-1_b.c", "x" * 128, "6d3ee7ec-6050-4619-bc03-fe48cde1b457"])
def test_a_well_formed_id_is_kept(good: str) -> None:
    assert accept_request_id(good) == good


@pytest.mark.parametrize("bad", [None, "", "x" * 129, "a b", "a\nb", "a\n", "ü", "a/b", '"'])
def test_anything_else_is_replaced_by_a_uuid(bad: str | None) -> None:
    assert uuid.UUID(accept_request_id(bad))


def test_the_context_holds_inside_only() -> None:
    assert current_request_id() is None
    with request_context("outer"):
        with request_context("inner"):
            assert current_request_id() == "inner"
        assert current_request_id() == "outer"
    assert current_request_id() is None
