"""The bounds of the cache in this process."""

import os

from hypothesis import given
from hypothesis import strategies as st

from gateway.caching.in_process import OVERHEAD_BYTES, InProcessCache
from tests.fakes.clock import FakeClock


def test_the_least_recently_used_entry_goes_first() -> None:
    cache = InProcessCache(FakeClock(), max_entries=2)
    cache.set("a", b"1", 60)
    cache.set("b", b"2", 60)
    cache.get("a")
    cache.set("c", b"3", 60)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1", None, b"3")


def test_a_value_too_large_to_share_the_room_is_not_kept() -> None:
    cache = InProcessCache(FakeClock(), max_bytes=80_000)
    cache.set("small", b"1", 60)
    cache.set("large", b"x" * 10_000, 60)
    assert (cache.get("small"), cache.get("large")) == (b"1", None)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 900), st.sampled_from(["set", "delete", "count"])), max_size=60))
def test_its_bytes_never_exceed_the_bound_and_return_to_nothing(steps: list[tuple[str, int, str]]) -> None:
    cache = InProcessCache(FakeClock(), max_bytes=8 * (900 + 1 + OVERHEAD_BYTES) // 2)
    for key, size, step in steps:
        if step == "set":
            cache.set(key, b"7" * size, 60)
        elif step == "delete":
            cache.delete_many([key])
        elif (held := cache.get(key)) is None or (held.isdigit() and len(held) < 100):
            cache.increment(key, 1, 60)
        assert 0 <= cache.size_bytes <= 8 * (900 + 1 + OVERHEAD_BYTES) // 2
    cache.delete_many("abcdefgh")
    assert cache.size_bytes == 0


def test_a_child_process_starts_empty() -> None:
    cache = InProcessCache(FakeClock())
    cache.set("k", b"parent", 60)
    child = os.fork()
    if child == 0:
        os._exit(0 if cache.get("k") is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get("k") == b"parent"
