"""The copies that one process holds."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.memory import Copy, CopyMemory, Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def copy(key: str, body: object = "v") -> Copy:
    return Copy(Kind.CONFIG, key, body, NOW, 0.0)


def test_finds_what_was_put() -> None:
    memory = CopyMemory()
    memory.put(copy("a", {"x": 1}))
    found = memory.find(Kind.CONFIG, "a")
    assert found is not None
    assert found.body == {"x": 1}
    assert memory.find(Kind.FLOW, "a") is None
    memory.drop(Kind.CONFIG, "a")
    assert memory.find(Kind.CONFIG, "a") is None


def test_the_least_recently_used_goes_first() -> None:
    memory = CopyMemory(max_entries=2)
    memory.put(copy("a"))
    memory.put(copy("b"))
    memory.find(Kind.CONFIG, "a")
    memory.put(copy("c"))
    assert [each.key for each in memory.list_kind(Kind.CONFIG)] == ["a", "c"]


def test_one_that_is_larger_than_everything_is_not_kept() -> None:
    memory = CopyMemory(max_bytes=100)
    memory.put(copy("a", "x" * 1000))
    assert memory.list_kind(Kind.CONFIG) == []


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.text(max_size=60)), max_size=60))
def test_is_never_larger_than_its_bounds(puts: list[tuple[str, str]]) -> None:
    memory = CopyMemory(max_entries=4, max_bytes=200)
    for key, body in puts:
        memory.put(copy(key, body))
        held = memory.list_kind(Kind.CONFIG)
        assert len(held) <= 4
        assert sum(each.size for each in held) <= 200


def test_the_digest_is_of_the_content() -> None:
    assert copy("a", {"x": 1, "y": 2}).digest == copy("b", {"y": 2, "x": 1}).digest
    assert copy("a", {"x": 1}).digest != copy("a", {"x": 2}).digest
