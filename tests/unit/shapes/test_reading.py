"""Reading bodies, queries and documents: what fits is a Struct, what does not is named whole."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, field

from gateway.flows.model import FlowStatus
from gateway.shapes.flaws import IN_WORDS, MAX_FLAWS, Kind, find_flaws, read_word
from gateway.shapes.reading import Maybe, Unfit, known_part, or_none, read, read_texts


class Dozens(int):
    """A number that is written in dozens."""

    @classmethod
    def from_text(cls, text: str) -> "Dozens":
        if not text.endswith("dz"):
            raise ValueError("must be a number of dozens: 3dz")
        return cls(12 * int(text.removesuffix("dz")))


class Point(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    x: float
    y_axis: Annotated[float, Meta(gt=0)] = 1.0


class Order(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5, pattern=r"^[a-z]*\Z")]
    how_many: Annotated[Annotated[int, Meta(ge=1, le=9)] | None, Meta(description="pieces")] = None
    urgent: bool = False
    kind: Literal["new", "again"] = "new"
    status: Maybe[FlowStatus] = UNSET
    line: Maybe[Annotated[str, Meta(pattern=r"^[^\x00]*\Z", extra={IN_WORDS: "holds the character U+0000"})]] = UNSET
    points: Annotated[list[Point], Meta(min_length=1, max_length=2)] = field(default_factory=lambda: [Point(0.0)])
    more: dict[str, Any] | str | None = None
    anything: Any = None
    dozens: Dozens | None = None


class Search(Struct, frozen=True, rename="camel"):
    page: Annotated[int, Meta(ge=1)] = 1
    share: float | None = None
    deep: bool = False
    since: datetime | None = None
    word: str | None = None
    dozens: Dozens | None = None


def flaws(value: object) -> dict[str, tuple[Kind, str]]:
    with pytest.raises(Unfit) as refused:
        read(Order, value)
    return {"/".join(map(str, flaw.path)): (flaw.kind, flaw.detail) for flaw in refused.value.flaws}


@pytest.mark.parametrize(
    ("member", "value", "kind", "detail"),
    [
        ("name", 7, Kind.TEXT, "must be a string"),
        ("name", None, Kind.TEXT, "must be a string"),
        ("name", "", Kind.EMPTY_TEXT, "must not be empty"),
        ("name", "abcdef", Kind.LONG_TEXT, "is longer than 5 characters"),
        ("name", "ab\n", Kind.PATTERN, "does not match ^[a-z]*$"),
        ("howMany", "3", Kind.NUMBER, "must be a whole number"),
        ("howMany", True, Kind.NUMBER, "must be a whole number"),
        ("howMany", 3.0, Kind.FRACTION, "must be a whole number"),
        ("howMany", 0, Kind.SMALL, "must be at least 1"),
        ("howMany", 10**4000, Kind.LARGE, "must be at most 9"),
        ("points", [{"x": 10**4000}], Kind.NUMBER, "must be a number"),
        ("urgent", 1, Kind.BOOLEAN, "must be true or false"),
        ("urgent", None, Kind.NULL, "must be absent rather than null"),
        ("kind", "old", Kind.CHOICE, "must be 'again' or 'new'"),
        ("status", [], Kind.CHOICE, "must be 'draft', 'active', 'deprecated' or 'archived'"),
        ("status", None, Kind.NULL, "must be absent rather than null"),
        ("line", "a\x00", Kind.PATTERN, "holds the character U+0000"),
        ("line", 7, Kind.TEXT, "must be a string"),
        ("points", {}, Kind.LIST, "must be a list"),
        ("points", [], Kind.FEW_ITEMS, "must not be empty"),
        ("points", [{"x": 1}] * 3, Kind.MANY_ITEMS, "holds 3 items; at most 2 are allowed"),
        ("more", 7, Kind.OTHER, "must be an object or a string"),
        ("dozens", "3", Kind.OTHER, "must be a number of dozens: 3dz"),
        ("unheard", 1, Kind.UNKNOWN, "is not a known field"),
    ],
)
def test_a_flaw_has_its_place_its_kind_and_plain_words(member: str, value: object, kind: Kind, detail: str) -> None:
    (found,) = flaws({"name": "abc", member: value}).items()
    assert (found[0].split("/")[0], found[1]) == (member, (kind, detail))


def test_all_flaws_are_named_at_once_and_where_they_are() -> None:
    found = flaws({"howMany": "x", "points": [{"x": 1}, {"yAxis": 0, "z": 1}], "b": 1})
    assert list(found) == ["name", "howMany", "points/1/x", "points/1/yAxis", "points/1/z", "b"]
    assert found["name"] == (Kind.REQUIRED, "is required")
    assert found["points/1/yAxis"] == (Kind.SMALL, "must be more than 0")


def test_a_hundred_flaws_are_enough() -> None:
    assert len(find_flaws(Order, {f"unheard{number}": 1 for number in range(100_000)})) == MAX_FLAWS


def test_a_value_that_is_no_object_is_one_flaw_of_the_whole() -> None:
    assert flaws([1]) == {"": (Kind.OBJECT, "must be an object")}


def test_an_order_that_fits_is_read() -> None:
    order = read(Order, {"name": "abc", "points": [{"x": 1, "yAxis": 2}], "status": "draft", "dozens": "2dz", "more": "x"})
    assert (order.points, order.status, order.dozens, order.more) == ([Point(1.0, 2.0)], FlowStatus.DRAFT, 24, "x")
    assert (or_none(order.line), or_none(order.status)) == (None, FlowStatus.DRAFT)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-20, 20)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "new", "draft", "ab", "1dz", "A\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "yAxis", "z"]), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from([each.encode_name for each in msgspec.structs.fields(Order)])


@given(st.dictionaries(members, values, max_size=5))
def test_what_is_refused_and_what_is_named_are_the_same(value: dict[str, object]) -> None:
    try:
        msgspec.convert(value, Order, dec_hook=read_word)
    except msgspec.ValidationError:
        assert find_flaws(Order, value)
    else:
        assert not find_flaws(Order, value)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"page": " 7 "}, Search(page=7)),
        ({"share": "1e-3"}, Search(share=0.001)),
        ({"share": "-.5"}, Search(share=-0.5)),
        ({"deep": "Yes"}, Search(deep=True)),
        ({"deep": "0"}, Search()),
        ({"word": "7"}, Search(word="7")),
        ({"word": "null"}, Search(word="null")),
        ({"dozens": "1dz"}, Search(dozens=Dozens(12))),
        ({"other": "x"}, Search()),
        ({"since": "2026-01-31T12:00:00Z"}, Search(since=datetime(2026, 1, 31, 12, tzinfo=UTC))),
        ({"since": "2026-01-31T13:00:00+01:00"}, Search(since=datetime(2026, 1, 31, 12, tzinfo=UTC))),
        ({"since": "2026-01-31"}, Search(since=datetime(2026, 1, 31, tzinfo=UTC))),
        ({"since": "1769860800.0"}, Search(since=datetime(2026, 1, 31, 12, tzinfo=UTC))),
        ({"since": "1769860800"}, Search(since=datetime(2026, 1, 31, 12, tzinfo=UTC))),
        ({"since": "1769860800000"}, Search(since=datetime(2026, 1, 31, 12, tzinfo=UTC))),
    ],
)
def test_texts_of_a_query_are_read_as_what_they_are_for(texts: dict[str, str], expected: Search) -> None:
    assert read_texts(Search, texts) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("page", text) for text in ("x", "1.5", "0", "null", "1_000", "٣", "9" * 5000)),
        *(("share", text) for text in ("nan", "inf", "1e999", "null", "x", "1_0", "٣", ".")),
        *(("deep", text) for text in ("maybe", "2", "null")),
        *(("since", text) for text in ("yesterday", "2026-13-01", "9" * 30, "-" + "9" * 20, "null")),
        *(("since", text) for text in ("0001-01-01", "9999-12-31T23:59:59-10:00", "9999-12-31", "0001-01-01T00:00:00+10:00")),
        ("dozens", "12"),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(Unfit) as refused:
        read_texts(Search, {name: text})
    assert [flaw.path for flaw in refused.value.flaws] == [(name,)]
    assert text not in str(refused.value) + refused.value.flaws[0].detail


def test_a_tolerant_reader_drops_what_it_does_not_know_and_nulls_it_does_not_want() -> None:
    document = {
        "name": None,
        "status": None,
        "howMany": None,
        "anything": None,
        "note": 1,
        "more": {"note": None},
        "points": [{"x": 1, "yAxis": None, "w": 2}, 7],
    }
    kept = {"name": None, "howMany": None, "anything": None, "more": {"note": None}, "points": [{"x": 1}, 7]}
    assert known_part(Order, document) == kept
    assert known_part(Order, [1]) == [1]
