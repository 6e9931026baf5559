"""GATEWAY_TOKENS: read once, refused in one clear line that never shows a token."""

import pytest

from config.settings import SettingsError
from gateway.security.tokens import TokenBook

GOOD = "web:0123456789abcdef:read|flows:write"


def test_a_token_is_found_with_its_name_and_scopes() -> None:
    entry = TokenBook.parse(f"{GOOD}, ops:fedcba9876543210:admin").find("0123456789abcdef")
    assert entry
    assert (entry.name, entry.scopes) == ("web", frozenset({"read", "flows:write"}))


@pytest.mark.parametrize("token", ["", "0123456789abcde", "0123456789abcdef0", "\udcff"])
def test_anything_else_is_not_found(token: str) -> None:
    assert TokenBook.parse(GOOD).find(token) is None


def test_the_token_itself_is_not_kept() -> None:
    assert "0123456789abcdef" not in repr(TokenBook.parse(GOOD))


@pytest.mark.parametrize("text", [None, ""])
def test_without_tokens_the_book_is_empty(text: str | None) -> None:
    assert TokenBook.parse(text).is_empty


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("web", "entry 1 is not name:token:scope|scope"),
        (f"{GOOD},web2:token", "entry 2 is not name:token:scope|scope"),
        (":0123456789abcdef:read", "entry 1: the name"),
        ("a b:0123456789abcdef:read", "entry 1: the name"),
        ("anonymous:0123456789abcdef:read", "entry 1: the name anonymous stands for callers without a token"),
        ("recovery:0123456789abcdef:read", "entry 1: the name recovery stands for the gateway's own recoveries"),
        ("web:short:read", r"entry 1 \(web\): the token must have at least 16"),
        ("web:0123456789abcdef:", r"entry 1 \(web\): no scope"),
        ("web:0123456789abcdef:read|fly", r"entry 1 \(web\): unknown scope fly"),
        (f"{GOOD},web:fedcba9876543210:read", "two tokens have the same name"),
        (f"{GOOD},ops:0123456789abcdef:read", "two names have the same token"),
        (",,", "holds no token"),
    ],
)
def test_bad_syntax_is_one_clear_line_without_the_token(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"^GATEWAY_TOKENS: {problem}") as caught:
        TokenBook.parse(text)
    assert "0123456789abcdef" not in str(caught.value)
    assert "\n" not in str(caught.value)
