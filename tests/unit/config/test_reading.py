"""Texts become values of what a field is annotated with, or are refused in words that do not repeat them."""

import traceback
from typing import Any, Literal

import pytest

from config.reading import NO, YES, Bounds, http_url, read_text
from config.secrets import Secret

ANY = Bounds()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("a b", str, "a b"),
        ("007", int, 7),
        ("+5", int, 5),
        ("1_000", int, 1000),
        ("1e3", float, 1000.0),
        (".5", float, 0.5),
        ("a, b ,,c", tuple[str, ...], ("a", "b", "c")),
        (",", tuple[str, ...], ()),
        ("console", Literal["json", "console"], "console"),
        ("x", Secret, Secret("x")),
        ("x", Secret | None, Secret("x")),
        ("5", int | None, 5),
    ],
)
def test_the_annotation_says_what_a_text_is(text: str, kind: Any, value: object) -> None:
    found = read_text(text, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("word", YES + NO)
def test_a_word_is_true_or_false_in_any_case(word: str) -> None:
    assert {read_text(each, bool) for each in (word, word.upper(), word.title())} == {word in YES}


@pytest.mark.parametrize(
    ("text", "kind", "bounds", "message"),
    [
        ("abc", int, Bounds(ge=1, le=65535), "must be a whole number from 1 to 65535"),
        ("0", int, Bounds(ge=1, le=65535), "must be a whole number from 1 to 65535"),
        ("65536", int, Bounds(ge=1, le=65535), "must be a whole number from 1 to 65535"),
        ("-1", int, Bounds(ge=0), "must be a whole number of at least 0"),
        ("1.5", int, ANY, "must be a whole number"),
        ("1.0", int, ANY, "must be a whole number"),
        ("٣", int, ANY, "must be a whole number"),
        ("9" * 5000, int, ANY, "must be a whole number"),
        ("0", float, Bounds(gt=0, le=30), "must be a number above 0 and at most 30"),
        ("30.1", float, Bounds(gt=0, le=30), "must be a number above 0 and at most 30"),
        ("0", float, Bounds(gt=0), "must be a number above 0"),
        ("x", float, ANY, "must be a number"),
        ("maybe", bool, ANY, "must be true or false"),
        ("2", bool, ANY, "must be true or false"),
        ("JSON", Literal["json", "console"], ANY, "must be one of json, console"),
    ],
)
def test_what_is_refused_is_told_what_it_must_be(text: str, kind: Any, bounds: Bounds, message: str) -> None:
    with pytest.raises(ValueError, match="must be") as refused:
        read_text(text, kind, bounds)
    assert str(refused.value) == message


@pytest.mark.parametrize("text", ["nan", "-nan", "inf", "Infinity", "-inf", "1e400"])
@pytest.mark.parametrize("bounds", [ANY, Bounds(ge=0), Bounds(gt=0), Bounds(ge=0, le=1)])
def test_a_number_is_finite(text: str, bounds: Bounds) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        read_text(text, float, bounds)


@pytest.mark.parametrize(("number", "within"), [(1, True), (65535, True), (0, False), (65536, False)])
def test_the_least_and_the_greatest_belong_to_the_bounds(number: int, within: bool) -> None:
    assert (number in Bounds(ge=1, le=65535)) is within


def test_a_number_above_another_is_not_that_one() -> None:
    assert [number in Bounds(gt=0) for number in (0, 0.001, 10**400)] == [False, True, True]


@pytest.mark.parametrize("kind", [int, float, bool, Literal["json"]])
def test_a_refusal_repeats_nothing_even_in_a_traceback(kind: Any) -> None:
    secret = "hunter2-very-secret"
    with pytest.raises(ValueError, match="must be") as refused:
        read_text(secret, kind)
    assert secret not in "".join(traceback.format_exception(refused.value))


def test_a_url_ends_without_slashes() -> None:
    assert http_url("https://x//") == "https://x"
    with pytest.raises(ValueError, match="must be an http:// or https:// URL"):
        http_url("ftp://x")
