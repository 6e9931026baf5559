"""Names without quotes are hidden; what engines say in plain words stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recovery.fingerprint import kernel, mask
from gateway.recovery.names import hide_names


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Database billing doesn't exist.", "Database <name> doesn't exist."),
        ("collection or view not found: carts", "collection or view not found: <name>"),
        ("could not find class OrderLine in schema", "could not find class <name> in schema"),
        ("alice: Authentication failed: password is incorrect", "<name>: Authentication failed: password is incorrect"),
        ("at index account: shard cart: knn search", "at index <name>: shard <name>: knn search"),
        ("Unknown identifier: amount; try another", "Unknown identifier: <name>; try another"),
        ("Can't connect to cache: refused", "Can't connect to <name>: refused"),
        ("password hunter is wrong", "password <name> is wrong"),
        ("DB::Exception: alice: Not enough privileges", "DB::Exception: <name>: Not enough privileges"),
        ("DB::Exception: Quota: exceeded", "DB::Exception: Quota: exceeded"),
        ("the order_items view is gone, so is orderLine", "the <name> view is gone, so is <name>"),
        ("user is disabled", "user is disabled"),
        ("key expired, index missing", "key expired, index missing"),
        ("the database system is starting up", "the database system is starting up"),
        ("connection to server failed", "connection to server failed"),
        ("", ""),
    ],
)
def test_names(message: str, shown: str) -> None:
    assert hide_names(message) == shown


@given(st.text(max_size=400))
def test_any_text_keeps_its_words_in_number(text: str) -> None:
    assert hide_names(text).count(" ") == text.count(" ")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('column "total" does not exist', "column o.total does not exist"),
        ('connection to server at "db" (10.0.0.1), port 5432 failed', 'connection to server at "10.0.0.1", port 5432 failed'),
        ("Missing columns: 'a'", "Missing columns: 'a' 'b', 'c'"),
        ("function total(integer, text) does not exist", "function sum_up(date) does not exist"),
        ("would use 9.31 GiB", "would use 954.1 MiB"),
    ],
)
def test_what_varies_may_vary_in_kind_and_number(one: str, other: str) -> None:
    assert kernel(mask(one), "Error") == kernel(mask(other), "Error")


def test_the_body_of_an_answer_speaks_for_itself() -> None:
    body = "Object was not added! Unexpected status code: 422, with response body: {'error': [{'message': 'vector lengths differ'}]}."
    assert mask(body).endswith("with response body: vector lengths differ")


def test_a_message_without_words_is_told_by_its_class() -> None:
    assert kernel(mask("'total'"), "builtins.KeyError") != kernel(mask("'total'"), "builtins.ValueError")
