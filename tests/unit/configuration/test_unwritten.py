"""What waits to be written down: bounded, in batches, the newest of each place."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.memory import Copy, Kind
from gateway.configuration.unwritten import BATCH_BYTES, BATCH_ENTRIES, REWRITE_SECONDS, Batch, Unwritten

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def copy(key: str, body: object = "v", taken: float = 0.0) -> Copy:
    return Copy(Kind.CONFIG, key, body, NOW, taken)


def keys(batch: Batch) -> list[str]:
    return [key for _, key in batch]


def written(unwritten: Unwritten, *copies: Copy) -> Unwritten:
    for each in copies:
        unwritten.add(each.place, each)
    unwritten.settle(unwritten.take())
    return unwritten


def test_each_place_waits_once_with_its_newest_word() -> None:
    unwritten, new = Unwritten(), copy("a", "new")
    unwritten.add(new.place, copy("a"))
    unwritten.add(new.place, None)
    unwritten.add(new.place, new)
    assert unwritten.take() == {new.place: new}


def test_what_came_while_a_batch_was_written_waits_on() -> None:
    unwritten, old, new = Unwritten(), copy("a"), copy("a", "new")
    unwritten.add(old.place, old)
    batch = unwritten.take()
    unwritten.add(new.place, new)
    unwritten.settle(batch)
    assert unwritten.take() == {new.place: new}
    unwritten.settle(unwritten.take())
    assert unwritten.take() == {}


@pytest.mark.parametrize(("seconds", "waits"), [(0, False), (REWRITE_SECONDS - 1, False), (REWRITE_SECONDS, True)])
def test_what_was_written_as_it_is_is_written_again_after_a_while(seconds: float, waits: bool) -> None:
    unwritten = written(Unwritten(), copy("a"))
    unwritten.add(copy("a").place, copy("a", taken=seconds))
    assert bool(unwritten.take()) is waits


def test_what_another_process_was_told_in_between_makes_the_same_word_news() -> None:
    unwritten = written(Unwritten(), copy("a"), copy("b"))
    unwritten.saw(copy("a", "other"))
    unwritten.saw(copy("b"))
    unwritten.saw(copy("never written"))
    for key in ("a", "b"):
        unwritten.add(copy(key).place, copy(key, taken=20))
    assert keys(unwritten.take()) == ["a"]


def test_a_batch_is_bounded_in_number_and_what_fails_goes_to_the_end() -> None:
    unwritten = Unwritten()
    for number in range(BATCH_ENTRIES + 5):
        unwritten.add(copy(str(number)).place, copy(str(number)))
    assert len(unwritten.take()) == BATCH_ENTRIES
    assert keys(unwritten.take())[:6] == [*(str(BATCH_ENTRIES + number) for number in range(5)), "0"]


def test_a_batch_is_bounded_in_size_and_a_larger_one_goes_alone() -> None:
    unwritten = Unwritten()
    for key, size in (("a", 0.5), ("b", 0.4), ("c", 0.4), ("huge", 1.5), ("d", 0.4)):
        unwritten.add(copy(key).place, copy(key, "x" * int(size * BATCH_BYTES)))
    batches = [unwritten.take() for _ in range(4)]
    assert [keys(batch) for batch in batches] == [["a", "b"], ["c"], ["huge"], ["d", "a"]]


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(1, 300)), max_size=60))
def test_it_holds_no_more_than_its_bounds(told: list[tuple[int, int | None]]) -> None:
    unwritten = Unwritten(max_entries=5, max_bytes=500)
    for number, size in told:
        unwritten.add((Kind.CONFIG, str(number)), copy(str(number), "x" * size) if size else None)
    batch = unwritten.take()
    assert len(batch) <= 5
    assert sum(each.size for each in batch.values() if each) <= 500
    unwritten.settle(batch)
    fits = copy("fits", "x" * 498)
    unwritten.add(fits.place, fits)
    assert keys(unwritten.take()) == ["fits"], "what is settled takes no room"


def test_one_larger_than_all_of_the_room_waits_alone() -> None:
    unwritten, huge = Unwritten(max_bytes=100), copy("huge", "x" * 1000)
    unwritten.add(huge.place, huge)
    unwritten.add(copy("a").place, copy("a"))
    unwritten.add(copy("gone").place, None)
    assert keys(unwritten.take()) == ["huge", "gone"]
    unwritten.settle({huge.place: huge})
    unwritten.add(copy("a").place, copy("a"))
    unwritten.add(huge.place, copy("huge", "y" * 1000))
    assert keys(unwritten.take()) == ["gone", "a"]
